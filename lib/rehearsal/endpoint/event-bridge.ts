/**
 * EventBridge: buses, rules, and delivery that may be late, doubled or lost when a rehearsal wants it so.
 *
 * Left out: archives, replays, API destinations, cross-account buses and cron() schedules (a rule is fired by hand).
 */

import { randomUUID } from 'node:crypto';
import { arn, lastPart } from './arn.ts';
import type { Deliver, EventTarget } from './event-delivery.ts';
import { DeliveryFailure, deliveryAttempts } from './event-delivery.ts';
import { targetPayload } from './event-input.ts';
import { checkPattern, matchesPattern } from './event-pattern.ts';
import { isObject, objects, text, texts } from './json-shape.ts';
import type { BusEvent, Emit, Json, JsonObject, Service, WorldClock } from './service.ts';
import { AwsError, account, region } from './service.ts';

export interface Rule {
  readonly arn: string;
  readonly name: string;
  readonly busName: string;
  /** null: a schedule only. */
  readonly pattern: JsonObject | null;
  /** `rate(15 minutes)` runs by the clock; `cron(…)` runs by `fire` only. */
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

/** https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
const entriesPerCall = 10;
const requestLimitBytes = 1_048_576;

const periods: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

export class EventBridge implements Service {
  readonly signingName = 'events';
  readonly records: EventRecord[] = [];
  readonly #options: EventBridgeOptions;
  readonly #buses = new Set(['default']);
  readonly #rules = new Map<string, Rule>();
  readonly #faults: { fault: EventFault; left: number }[] = [];
  #stopped = false;

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

  /** Runs a scheduled rule now. @throws Error when no rule has that name or ARN. */
  fire(nameOrArn: string): void {
    const rule = this.rules().find(({ arn: id, name }) => id === nameOrArn || name === nameOrArn);
    if (rule === undefined) throw new Error(`there is no rule ${nameOrArn}`);
    const schedule = {
      source: 'aws.events',
      'detail-type': 'Scheduled Event',
      resources: [rule.arn],
      detail: {},
    };
    const event = { ...schedule, ...this.#envelope() };
    this.#route(this.#record('default', event, null), [rule]);
  }

  /** No delivery starts or is repeated afterwards. */
  stop(): void {
    this.#stopped = true;
  }

  async handle(operation: string, input: JsonObject): Promise<JsonObject> {
    if (operation === 'PutEvents') return this.#putEvents(input);
    if (operation === 'ListRules')
      return { Rules: this.rules().map(({ arn: Arn, name: Name }) => ({ Arn, Name })) };
    throw new AwsError('UnknownOperationException', `events has no operation ${operation} here`);
  }

  #putEvents(input: JsonObject): JsonObject {
    const entries = objects(input.Entries);
    if (entries.length < 1 || entries.length > entriesPerCall) {
      const rule = `Member must have length ${entries.length < 1 ? 'greater than or equal to 1' : `less than or equal to ${entriesPerCall}`}`;
      throw new AwsError(
        'ValidationException',
        `1 validation error detected: Value at 'entries' failed to satisfy constraint: ${rule}`,
      );
    }
    if (Buffer.byteLength(JSON.stringify(entries)) >= requestLimitBytes) {
      throw new AwsError(
        'ValidationException',
        'Total size of the entries in the request is over the limit.',
      );
    }
    const answers = entries.map((entry) => this.#putEntry(entry));
    return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
  }

  #putEntry(entry: JsonObject): JsonObject {
    const missing = ['Source', 'DetailType', 'Detail'].find((name) => (text(entry[name]) ?? '') === '');
    if (missing !== undefined) {
      const ErrorMessage = `Parameter ${missing} is not valid. Reason: ${missing} is a required argument.`;
      return { ErrorCode: 'InvalidArgument', ErrorMessage };
    }
    const source = text(entry.Source) ?? '';
    if (source.startsWith('aws.')) {
      return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
    }
    const detail = parsed(text(entry.Detail) ?? '');
    if (!isObject(detail)) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
    const busName = lastPart(text(entry.EventBusName) ?? 'default');
    if (!this.#buses.has(busName)) {
      // What AWS answers here is not documented; an event that vanishes would hide a wrong name.
      return { ErrorCode: 'ResourceNotFoundException', ErrorMessage: `Event bus ${busName} does not exist.` };
    }
    const event: BusEvent = {
      source,
      'detail-type': text(entry.DetailType) ?? '',
      resources: texts(entry.Resources),
      detail,
      ...this.#envelope(),
    };
    this.#accept(busName, event);
    return { EventId: event.id };
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
    const route = () => this.#route(record, matching);
    if (kind === 'drop') return;
    if (kind === 'delay') this.#options.clock.after(milliseconds ?? 0, route);
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

  #route(record: EventRecord, rules: readonly Rule[]): void {
    for (const rule of rules) for (const target of rule.targets) void this.#deliver(record, rule, target);
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
      await new Promise<void>((resolve) =>
        this.#options.clock.after(pause / this.#options.compression, resolve),
      );
      if (this.#stopped) return;
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
      await this.#options.deliver(arnOfTarget, { ruleArn, roleArn: target.roleArn ?? null, payload });
      return null;
    } catch (error) {
      return error instanceof DeliveryFailure ? error : new DeliveryFailure(String(error));
    }
  }

  #schedule(rule: Rule, expression: string): void {
    const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
    if (count === undefined) {
      if (/^cron\(.+\)$/.test(expression)) return;
      throw new Error(`rule ${rule.name}: ${expression} is neither rate() nor cron()`);
    }
    const period = (Number(count) * (periods[unit] ?? 0)) / this.#options.compression;
    const next = () => {
      if (this.#stopped) return;
      this.fire(rule.arn);
      this.#options.clock.after(period, next);
    };
    this.#options.clock.after(period, next);
  }
}

function parsed(json: string): Json | undefined {
  try {
    return JSON.parse(json) as Json;
  } catch {
    return undefined;
  }
}
