/**
 * EventBridge: buses, rules, and delivery that may be late, doubled or lost when a rehearsal wants it so.
 *
 * Left out: archives, replays, API destinations and cross-account buses.
 */

import { randomUUID } from 'node:crypto';
import { arn } from './arn.ts';
import type { Deliver, EventTarget } from './event-delivery.ts';
import { DeliveryFailure, deliveryAttempts } from './event-delivery.ts';
import { targetPayload } from './event-input.ts';
import { checkPattern, matchesPattern } from './event-pattern.ts';
import { readEntries } from './put-events.ts';
import { parseSchedule } from './schedule-expression.ts';
import type { BusEvent, Emit, JsonObject, Service, WorldClock } from './wire.ts';
import { AwsError, account, region } from './wire.ts';

export interface Rule {
  readonly arn: string;
  readonly name: string;
  readonly busName: string;
  /** null: a schedule only. */
  readonly pattern: JsonObject | null;
  /** `rate(15 minutes)` or `cron(0 8 * * ? *)`; null: by its pattern only. */
  readonly scheduleExpression: string | null;
  readonly targets: readonly EventTarget[];
}

/** What one target got of one event. */
export interface DeliveryRecord {
  readonly ruleName: string;
  readonly targetArn: string;
  attempts: number;
  outcome: 'pending' | 'delivered' | 'failed' | 'dead letter';
  /** Why the last attempt failed. */
  error: string | null;
}

export interface EventRecord {
  readonly busName: string;
  readonly event: BusEvent;
  /** What a fault did to it. */
  readonly fault: EventFault['kind'] | null;
  readonly deliveries: DeliveryRecord[];
}

/** Makes matching events misbehave. AWS promises at least once, in no order, and may lose a native event. */
export interface EventFault {
  readonly kind: 'drop' | 'duplicate' | 'delay';
  /** Which events; an event pattern. */
  readonly pattern: JsonObject;
  /** For `delay`: how long, in milliseconds of the endpoint's time. */
  readonly milliseconds?: number;
  /** How many events it hits; default: every one. */
  readonly times?: number;
}

export interface EventBridgeOptions {
  readonly clock: WorldClock;
  /** Divides the pauses between attempts and the periods of schedules. At least 1. */
  readonly compression: number;
  readonly deliver: Deliver;
  readonly onEvent?: (record: EventRecord) => void;
}

export class EventBridge implements Service {
  readonly signingName = 'events';
  readonly records: EventRecord[] = [];
  readonly #options: EventBridgeOptions;
  readonly #buses = new Set(['default']);
  readonly #rules = new Map<string, Rule>();
  readonly #faults: { fault: EventFault; left: number }[] = [];
  readonly #timers = new Set<() => void>();
  readonly #stopping = new AbortController();

  constructor(options: EventBridgeOptions) {
    this.#options = options;
  }

  /** Puts an event of an AWS service on the default bus. */
  readonly emit: Emit = (event) => {
    this.#accept('default', { ...event, ...this.#envelope() });
  };

  createBus(name: string): string {
    this.#buses.add(name);
    return arn('events', `event-bus/${name}`);
  }

  /** @throws Error for an unknown bus, a pattern or a schedule that cannot work, or more than five targets. */
  createRule(rule: Rule): void {
    if (!this.#buses.has(rule.busName)) throw new Error(`rule ${rule.name}: there is no bus ${rule.busName}`);
    if (rule.targets.length > 5) throw new Error(`rule ${rule.name}: a rule has at most 5 targets`);
    if (rule.pattern !== null) checkPattern(rule.pattern, `rule ${rule.name}`);
    this.#rules.set(rule.arn, rule);
    if (rule.scheduleExpression !== null) this.#schedule(rule, rule.scheduleExpression);
  }

  rules(): readonly Rule[] {
    return [...this.#rules.values()];
  }

  addFault(fault: EventFault): void {
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clearFaults(): void {
    this.#faults.length = 0;
  }

  /** Runs a rule now, as its schedule would. @throws Error when no rule has that name or ARN. */
  fire(nameOrArn: string): Promise<void> {
    const rule = this.rules().find(({ arn: id, name }) => id === nameOrArn || name === nameOrArn);
    if (rule === undefined) throw new Error(`there is no rule ${nameOrArn}`);
    const schedule = {
      source: 'aws.events',
      'detail-type': 'Scheduled Event',
      resources: [rule.arn],
      detail: {},
    };
    const event = { ...schedule, ...this.#envelope() };
    return this.#route(this.#record('default', event, null), [rule]);
  }

  /** No delivery starts or is repeated afterwards. */
  stop(): void {
    this.#stopping.abort();
    for (const cancel of this.#timers) cancel();
  }

  async handle(operation: string, input: JsonObject): Promise<JsonObject> {
    if (operation === 'PutEvents') return this.#putEvents(input);
    if (operation === 'ListRules')
      return { Rules: this.rules().map(({ arn: Arn, name: Name }) => ({ Arn, Name })) };
    throw new AwsError('UnknownOperationException', `events has no operation ${operation} here`);
  }

  #putEvents(input: JsonObject): JsonObject {
    const answers = readEntries(input).map((entry): JsonObject => {
      if ('ErrorCode' in entry) return entry;
      if (!this.#buses.has(entry.busName)) {
        // What AWS answers here is not documented; an event that vanishes would hide a wrong name.
        const ErrorMessage = `Event bus ${entry.busName} does not exist.`;
        return { ErrorCode: 'ResourceNotFoundException', ErrorMessage };
      }
      const event: BusEvent = { ...entry.event, ...this.#envelope() };
      this.#accept(entry.busName, event);
      return { EventId: event.id };
    });
    return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
  }

  #envelope(): { id: string; account: string; region: string; time: string } {
    const time = `${new Date(this.#options.clock.now()).toISOString().slice(0, 19)}Z`;
    return { id: randomUUID(), account, region, time };
  }

  #accept(busName: string, event: BusEvent): void {
    const { kind, milliseconds } = this.#takeFault(event) ?? { kind: null };
    const record = this.#record(busName, event, kind);
    const matching = this.rules().filter(
      (rule) =>
        rule.busName === busName && rule.pattern !== null && matchesPattern(rule.pattern, { ...event }),
    );
    const route = () => void this.#route(record, matching);
    if (kind === 'drop') return;
    if (kind === 'delay') this.#after(milliseconds ?? 0, route);
    else route();
    if (kind === 'duplicate') route();
  }

  #takeFault(event: BusEvent): EventFault | null {
    const hit = this.#faults.find(
      ({ fault, left }) => left > 0 && matchesPattern(fault.pattern, { ...event }),
    );
    if (hit === undefined) return null;
    hit.left -= 1;
    return hit.fault;
  }

  #record(busName: string, event: BusEvent, fault: EventFault['kind'] | null): EventRecord {
    const record: EventRecord = { busName, event, fault, deliveries: [] };
    this.records.push(record);
    this.#options.onEvent?.(record);
    return record;
  }

  async #route(record: EventRecord, rules: readonly Rule[]): Promise<void> {
    const deliveries = rules.flatMap((rule) =>
      rule.targets.map((target) => this.#deliver(record, rule, target)),
    );
    await Promise.all(deliveries);
  }

  async #deliver(record: EventRecord, rule: Rule, target: EventTarget): Promise<void> {
    const delivery: DeliveryRecord = {
      ruleName: rule.name,
      targetArn: target.arn,
      attempts: 0,
      outcome: 'pending',
      error: null,
    };
    record.deliveries.push(delivery);
    const payload = targetPayload(target, record.event, { ruleArn: rule.arn, ruleName: rule.name });
    for (const pause of deliveryAttempts(target)) {
      await new Promise<void>((resolve) => this.#after(pause / this.#options.compression, resolve));
      if (this.#stopping.signal.aborted) return;
      delivery.attempts += 1;
      const failure = await this.#attempt(target, target.arn, rule.arn, payload);
      if (failure === null) {
        delivery.outcome = 'delivered';
        return;
      }
      delivery.error = failure.message;
      if (failure.retries <= delivery.attempts - 1) break;
    }
    const toQueue = target.deadLetterArn;
    const lost =
      toQueue === undefined || (await this.#attempt({ arn: toQueue }, toQueue, rule.arn, payload)) !== null;
    delivery.outcome = lost ? 'failed' : 'dead letter';
  }

  async #attempt(
    target: EventTarget,
    arnOfTarget: string,
    ruleArn: string,
    payload: string,
  ): Promise<DeliveryFailure | null> {
    try {
      const { roleArn = null, inRole = false } = target;
      await this.#options.deliver(arnOfTarget, { ruleArn, roleArn, inRole, payload });
      return null;
    } catch (error) {
      return error instanceof DeliveryFailure ? error : new DeliveryFailure(String(error));
    }
  }

  /**
   * rate() is compressed like every pause; cron() names moments of the endpoint's clock and is not. A clock that
   * jumps many periods must not start as many functions side by side, so a schedule skips the times that come
   * while its last one is still being delivered.
   */
  #schedule(rule: Rule, expression: string): void {
    const schedule = parseSchedule(expression);
    const { clock, compression } = this.#options;
    let busy = false;
    const fire = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      await this.fire(rule.arn);
      busy = false;
    };
    const plan = (): void => {
      const now = clock.now();
      const at = schedule.kind === 'rate' ? now + schedule.milliseconds / compression : schedule.next(now);
      if (at === null) return;
      this.#after(at - now, () => {
        void fire();
        plan();
      });
    };
    plan();
  }

  #after(delay: number, action: () => void): void {
    if (this.#stopping.signal.aborted) return;
    const cancel = this.#options.clock.after(delay, () => {
      this.#timers.delete(cancel);
      action();
    });
    this.#timers.add(cancel);
  }
}
