/**
 * A whole account in one process and on one clock: the local Secrets Manager, the rotation function, the
 * rollout as its plan says, the application that reads the secret. Only the code under test is real; every
 * effect of it passes the gate, where faults are injected and the invariants are checked.
 */

import { createHash } from 'node:crypto';
import { emf } from '../../lambdas/adapters/metrics.ts';
import { emptyDocument, parseDocument, type SecretDocument } from '../../lambdas/contract/document.ts';
import { KeyturnError, publicError } from '../../lambdas/contract/errors.ts';
import type { KeyturnEvent } from '../../lambdas/contract/events.ts';
import { consentTag, suppliedLabel } from '../../lambdas/contract/marks.ts';
import type { Measurement } from '../../lambdas/contract/metrics.ts';
import {
  handOver,
  isStoppedAt,
  type PlanId,
  plans,
  rollBackAskedError,
  supersededError,
  type WayOutId,
  wayBackOf,
  wayOutOf,
  waysOut,
} from '../../lambdas/contract/plan.ts';
import type { Clock, Events, Log, Metrics } from '../../lambdas/contract/ports.ts';
import {
  itemMembers,
  type RangeItem,
  type RangeResult,
  type RolloutState,
} from '../../lambdas/contract/rollout-state.ts';
import type { ClassDefinition } from '../../lambdas/contract/secret-class.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import type { Settings } from '../../lambdas/contract/settings.ts';
import type { Each, StageDescription, StageRetry } from '../../lambdas/contract/stage-description.ts';
import { type StageId, stages } from '../../lambdas/contract/stages.ts';
import { noTarget, type TargetPorts } from '../../lambdas/contract/target.ts';
import { hook as fleetHook, type InstancesApi } from '../../lambdas/hooks/instances/http.ts';
import { type Ecs, hook as ecsHook } from '../../lambdas/hooks/redeploy/ecs.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { startRollout } from '../../lambdas/rollout/start.ts';
import { rotationFunction } from '../../lambdas/rotation/steps.ts';
import { takenUp } from '../../lib/operations/resume.ts';
import { virtualClock } from '../../lib/rehearsal/endpoint/clocks.ts';
import { SecretsManager, type VersionSnapshot } from '../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import type { Caller, InvocationResult, Json, JsonObject } from '../../lib/rehearsal/endpoint/wire.ts';
import { Application, type Judge } from './application.ts';
import { Database, type DatabaseSetting } from './database.ts';
import { Fleet } from './fleet.ts';
import { Crash, type FaultPlan, Gate, type Process } from './gate.ts';
import { Reconciler } from './reconciler.ts';
import { secretsPort } from './secrets-port.ts';
import { type DataSetting, noStoreFaults, Store, type StorePort, storeHook } from './store.ts';

export const secretName = 'shop/secret';
const functionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:rotation';
const machineArn = 'arn:aws:states:eu-central-1:111122223333:stateMachine:rollout';
const administrator: Caller = { accessKeyId: 'operator', roleArn: null, functionArn: null };
const rotationRole: Caller = {
  accessKeyId: 'rotation',
  roleArn: 'arn:aws:iam::111122223333:role/rotation',
  functionArn,
};

/** One class in one setting: what the enumeration runs over. */
export interface Setting {
  readonly secretClass: ClassDefinition;
  /** The variable that the application reads. */
  readonly variable: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly probe: Settings['secrets'][number]['probe'];
  /** The platform's instances, for classes whose plan renews them. Default: none. */
  readonly instances?: {
    readonly ids: readonly string[];
    readonly members: { readonly kind: string; readonly [member: string]: unknown };
  };
  readonly judge: Judge;
  /** True: the application cannot start with any value but the first. */
  readonly stubborn?: boolean;
  /** For keys that stored data is under: the data, and what reads and writes it. Default: none. */
  readonly data?: DataSetting;
  /** For credentials of a server. Default: none. */
  readonly database?: DatabaseSetting;
  /** For keys that overlap: how long a token lives that a task signs. No token may die before its time. */
  readonly tokenLifeSeconds?: number;
  /** The members of the first document; null: the secret starts empty. */
  readonly initial: Readonly<Record<string, string>> | null;
}

/** `aborted`: somebody stopped the execution in the console. */
export type RolloutEnd = 'completed' | 'rolled-back' | 'stalled' | 'superseded' | 'aborted';

export interface Rollout {
  readonly name: string;
  readonly versionId: string;
  readonly startedAt: number;
  readonly first: RolloutState;
  /** What it knew when it came to its youngest stage. */
  last: RolloutState;
  /** The stages that it came to, in order. */
  readonly entered: StageId[];
  end: RolloutEnd | null;
  transitions: number;
}

export class World {
  readonly clock = virtualClock({ start: Date.UTC(2026, 0, 5, 12) });
  readonly secrets: SecretsManager;
  /** Services that read the secret; most worlds have one. */
  readonly applications: readonly Application[];
  readonly store: Store | null;
  readonly database: Database | null;
  readonly fleet: Fleet;
  readonly gate: Gate;
  readonly rollouts: Rollout[] = [];
  readonly events: KeyturnEvent[] = [];
  readonly measured: Measurement[] = [];
  /** Everything that left the code under test and is not a call that carries a value. */
  readonly printed: string[] = [];
  readonly edits: string[] = [];
  /** Ids of keys that a hook was to work with and that are in none of the versions it was told. */
  readonly unnamedKeys: string[] = [];
  supplies = 0;
  /** Runs before each invocation of the rotation function. */
  beforeStep: () => void = () => {};
  /** A step after which the function's host is down until this is null again. */
  stopAfter: string | null = null;
  /** The execution is stopped as it comes to its n-th stage; then this is null again. */
  abortAt: number | null = null;
  /** Every call of this name fails after so many of them; null: none does. */
  failFrom: { readonly call: string; readonly after: number } | null = null;
  #called = 0;
  /** Milliseconds after which the bus hands on each event: one for each delivery, none for an event that is lost. */
  deliveries: readonly number[] = [0];
  #process: Process = { dead: false };
  #reconciler: Reconciler | null = null;
  #steps: ReturnType<typeof rotationFunction>;
  #latest: Json = null;
  #arn = '';
  #latestStep: string | null = null;
  #random = 0;
  readonly #setting: Setting;
  readonly #seed: number;
  readonly #settings: Settings;
  readonly #check: (world: World, after: string) => void;

  constructor(
    setting: Setting,
    faults: FaultPlan,
    seed: number,
    check: (world: World, after: string) => void,
  ) {
    this.#setting = setting;
    this.#seed = seed;
    this.#check = check;
    this.secrets = new SecretsManager({
      clock: this.clock,
      random: { bytes: (count) => this.#bytes(count), uuid: () => this.#uuid() },
      invoker: { permits: () => true, invoke: (_arn, event) => this.invoke(event) },
      emit: () => {},
    });
    this.applications = Array.from(
      { length: setting.data?.consumers ?? 1 },
      () =>
        new Application(
          this.clock,
          () => loaded(this.currentDocument(), setting.variable),
          setting.judge,
          (value, document) => !this.#refuses(value, document),
        ),
    );
    this.store = setting.data === undefined ? null : new Store(setting.data, setting.initial ?? {});
    this.database =
      setting.database === undefined
        ? null
        : new Database(setting.database, {
            variable: setting.variable,
            tasks: () => this.applications.flatMap(({ tasks }) => tasks),
            now: () => this.clock.now(),
          });
    const way = setting.secretClass.way(setting.options);
    this.fleet = new Fleet({
      ids: setting.instances?.ids ?? [],
      key: () => this.application.values[0] ?? null,
      now: () => this.clock.now(),
      after: (milliseconds, action) => void this.clock.after(milliseconds, action),
    });
    this.#settings = {
      schema: 1,
      deployment: 'shop',
      platform: 'shop',
      secrets: [
        {
          key: 'SECRET',
          id: secretName,
          class: setting.secretClass.id,
          options: setting.options,
          plan: way.plan,
          restorable: way.restorable,
          window: null,
          cutover: way.cutover,
          ...(setting.secretClass.admission === 'elsewhere' ? { observed: true } : {}),
          together: way.cutover,
          consumers: this.applications.map((_one, index) => {
            const service = index === 0 ? 'web' : `web-${index + 1}`;
            return { name: service, kind: 'ecs', cluster: 'shop', service };
          }),
          ...(setting.data === undefined ? {} : { reencrypt: [{ kind: 'memory' }] }),
          ...(setting.instances === undefined ? {} : { instances: setting.instances.members }),
          probe: setting.probe,
        },
      ],
    };
    this.gate = new Gate(faults, {
      check: (after) => {
        // Consumers never rest: whatever happens, something is read and written right after it.
        this.store?.work(this.applications.map(({ documents }) => documents));
        this.#check(this, after);
      },
      duplicate: async () => {
        await this.#runStep(this.#latest, { dead: false });
      },
      secondRotation: () => this.rotate().then(() => {}),
      consoleEdit: () => this.edit(),
    });
    this.#steps = this.#newSteps(this.#process);
  }

  /** Creates the secret, lets the application start, and switches rotation on without rotating. */
  async start(): Promise<void> {
    const { initial } = this.#setting;
    const created = await this.asOperator('CreateSecret', {
      Name: secretName,
      ClientRequestToken: this.#uuid(),
      ...(initial === null ? {} : { SecretString: JSON.stringify(initial) }),
    });
    this.#arn = String(created.ARN);
    for (const { ecs } of this.applications) await ecs.forceDeployment('shop', 'web');
    await this.clock.advance(60_000);
    if (this.#setting.secretClass.admission === 'elsewhere') return;
    await this.#rotateSecret({ RotationLambdaARN: functionArn, RotateImmediately: false });
    await this.clock.advance(60_000);
    if (this.#setting.secretClass.supplied) await this.supply();
    if (this.#setting.secretClass.admission === 'guarded') await this.consent();
  }

  /** "Rotate secret immediately". @returns false when Secrets Manager refuses, because one is under way. */
  async rotate(): Promise<boolean> {
    return this.#rotateSecret({});
  }

  /** The service that manages the secret rotates it. */
  managedRotation(): string {
    const members = { [this.#setting.variable]: this.#typed() };
    return this.secrets.managedRotation(secretName, JSON.stringify({ ...this.#setting.initial, ...members }));
  }

  /** Saves a schedule: Secrets Manager tests a copy of the current version and rotates nothing. */
  async preflight(): Promise<void> {
    await this.#rotateSecret({ RotateImmediately: false });
  }

  /** "Edit" in the console: a new current value at once. */
  async edit(): Promise<void> {
    const id = this.#uuid();
    this.edits.push(id);
    const members = this.database?.typed(this.currentDocument(), this.#typed()) ?? this.#typedMembers();
    await this.asOperator('PutSecretValue', {
      SecretId: secretName,
      ClientRequestToken: id,
      SecretString: JSON.stringify({ ...this.#setting.initial, ...members }),
    });
  }

  #typedMembers(): Record<string, string> {
    const { secretClass, options } = this.#setting;
    const names = secretClass.bind(options).variables();
    return Object.fromEntries(names.map((name) => [name, this.#typed()]));
  }

  #targetPorts(process: Process): TargetPorts {
    return this.database?.ports(this.gate, process) ?? noTarget;
  }

  async supply(): Promise<void> {
    this.supplies += 1;
    await this.asOperator('PutSecretValue', {
      SecretId: secretName,
      ClientRequestToken: this.#uuid(),
      SecretString: JSON.stringify({ [this.#setting.variable]: this.#typed() }),
      VersionStages: [suppliedLabel],
    });
  }

  async consent(): Promise<void> {
    const until = new Date(this.clock.now() + 12 * 3_600_000).toISOString();
    await this.asOperator('TagResource', {
      SecretId: secretName,
      Tags: [{ Key: consentTag, Value: `${until} jane: enumeration` }],
    });
  }

  /** Lambda throws the warm process away: the next invocation meets a fresh one. */
  recycle(): void {
    this.#process.dead = true;
  }

  arn(): string {
    return this.#arn;
  }

  versions(): readonly VersionSnapshot[] {
    return this.secrets.snapshot(secretName) ?? [];
  }

  currentId(): string | null {
    return this.versions().find((version) => version.labels.includes('AWSCURRENT'))?.id ?? null;
  }

  currentDocument(): SecretDocument | null {
    const current = this.versions().find((version) => version.labels.includes('AWSCURRENT'));
    return current === undefined ? null : documentOf(current);
  }

  get application(): Application {
    const [first] = this.applications;
    if (first === undefined) throw new Error('there is no application');
    return first;
  }

  get data(): DataSetting | null {
    return this.#setting.data ?? null;
  }

  /** Whether the new key is accepted before it is used. */
  get introduces(): boolean {
    const { secretClass, options } = this.#setting;
    return secretClass.bind(options).phases?.first() === 'introduced';
  }

  /** How the rollouts of this world are to end. */
  get expectedEnd(): RolloutEnd {
    return this.#setting.data?.ends ?? 'completed';
  }

  get tokenLifeSeconds(): number | null {
    return this.#setting.tokenLifeSeconds ?? null;
  }

  /** Whether anything but a rotation may move AWSCURRENT in this world. */
  get movesLater(): boolean {
    return this.edits.length > 0 || this.stubborn || this.tokenLifeSeconds !== null || this.data !== null;
  }

  get stubborn(): boolean {
    return this.#setting.stubborn === true;
  }

  get variable(): string {
    return this.#setting.variable;
  }

  /** One invocation of the rotation function, as anybody with the right to could make it. */
  async invoke(event: Json): Promise<InvocationResult> {
    this.beforeStep();
    const step = typeof event === 'object' && event !== null && 'Step' in event ? event.Step : null;
    if (this.stopAfter !== null && this.#latestStep === this.stopAfter) return crashed;
    this.#latestStep = typeof step === 'string' ? step : null;
    this.#latest = event;
    if (this.#process.dead) {
      this.#process = { dead: false };
      this.#steps = this.#newSteps(this.#process);
    }
    return this.#runStep(event, this.#process, this.#steps);
  }

  /** One invocation. When its process dies, Lambda answers with a function error of its own. */
  async #runStep(event: Json, process: Process, steps = this.#newSteps(process)): Promise<InvocationResult> {
    try {
      await steps.run(event, functionArn);
      return process.dead ? crashed : { ok: true, payload: null };
    } catch (caught) {
      if (process.dead) return crashed;
      const error = publicError(caught);
      this.printed.push(`${error.name}: ${error.message}`, error.stack ?? '');
      return { ok: false, errorType: error.name, errorMessage: error.message };
    }
  }

  #newSteps(process: Process): ReturnType<typeof rotationFunction> {
    return rotationFunction(this.#setting.secretClass, this.#settings, {
      secrets: secretsPort(this.secrets, rotationRole, this.gate, process),
      events: this.#eventsPort(process),
      clock: this.#clockPort(),
      random: { bytes: (count) => this.#bytes(count) },
      metrics: this.#metrics,
      log: this.#log,
      ...this.#targetPorts(process),
    });
  }

  readonly #log: Log = (line) => {
    this.printed.push(JSON.stringify(line));
  };

  readonly #metrics: Metrics = {
    put: (measurement) => {
      this.measured.push(measurement);
      this.printed.push(emf(measurement, this.clock.now()) ?? '');
    },
  };

  #clockPort(): Clock {
    return {
      now: () => new Date(this.clock.now()),
      sleep: (milliseconds) => new Promise((resolve) => this.clock.after(milliseconds, resolve)),
    };
  }

  #eventsPort(process: Process): Events {
    return {
      put: (event) =>
        this.gate.call(`PutEvents ${event.type}`, process, async () => {
          this.events.push(event);
          this.printed.push(JSON.stringify(event));
          for (const delay of this.deliveries) this.clock.after(delay, () => this.#deliver(event));
        }),
    };
  }

  #deliver(event: KeyturnEvent): void {
    if (event.type === 'Rotation Finished') void this.#start(event);
    if (event.type === 'Rotation Failed') void this.#reconciler?.hear(event);
  }

  /** Lets the reconciler sweep every five minutes, this many times; default: from now on. */
  sweepEvery(milliseconds = 300_000, times = Number.POSITIVE_INFINITY): Reconciler {
    const reconciler = new Reconciler({
      service: this.secrets,
      settings: this.#settings,
      clock: this.#clockPort(),
      gate: this.gate,
      events: (process) => this.#eventsPort(process),
      log: this.#log,
      rollouts: this.rollouts,
      start: (name, input) => this.#startExecution(name, input),
    });
    this.#reconciler = reconciler;
    const plan = (left: number) => {
      if (left === 0) return;
      this.clock.after(milliseconds, () => {
        void reconciler.sweep();
        plan(left - 1);
      });
    };
    plan(times);
    return reconciler;
  }

  #startExecution(name: string, input: string): boolean {
    this.printed.push(input);
    if (this.rollouts.some((rollout) => rollout.name === name)) return false;
    const state: RolloutState = JSON.parse(input);
    const rollout: Rollout = {
      name,
      versionId: state.versionId,
      startedAt: this.clock.now(),
      first: state,
      last: state,
      entered: [],
      end: null,
      transitions: 1,
    };
    this.rollouts.push(rollout);
    void this.#run(state.plan as PlanId, state, rollout);
    return true;
  }

  /** What `keyturn resume` does: the plan once more, from what is current now. */
  resume(): void {
    this.#startAgain({});
  }

  /** What `keyturn rollback` does for a key that data is under. */
  goBack(): void {
    this.#startAgain({ goBack: true });
  }

  #startAgain(asked: Partial<RolloutState>): void {
    const last = this.rollouts.at(-1);
    if (last === undefined) throw new Error('there is no rollout to resume');
    const attempt = last.first.attempt + 1;
    const phase = this.currentDocument()?.memory?.phase ?? null;
    const now = new Date(this.clock.now());
    const state = { ...takenUp(last.last, this.currentId() ?? '', phase, now), ...asked, attempt };
    this.#startExecution(`${last.name}-${attempt}`, JSON.stringify(state));
  }

  #refuses(value: string, document: Readonly<Record<string, string>>): boolean {
    const { data, stubborn, initial, variable } = this.#setting;
    if (data?.refuses !== undefined) return data.refuses(document);
    return stubborn === true && value !== initial?.[variable];
  }

  /** The rule on the bus invokes the starter; a failed delivery is repeated, as EventBridge does. */
  async #start(event: KeyturnEvent, attempt = 0): Promise<void> {
    const process: Process = { dead: false };
    try {
      await startRollout(
        { detail: event.detail },
        {
          settings: this.#settings,
          self: functionArn,
          stateMachines: new Map([[event.detail.plan, machineArn]]),
          log: this.#log,
          rollouts: {
            start: (_machine, name, input) =>
              this.gate.call('StartExecution', process, async () => this.#startExecution(name, input)),
          },
        },
      );
    } catch (caught) {
      if (attempt > 10) throw caught;
      this.clock.after(1_000 * 2 ** attempt, () => void this.#start(event, attempt + 1));
    }
  }

  /** Walks a plan as the state machine drawn from it would. */
  async #run(planId: PlanId, first: RolloutState, rollout: Rollout): Promise<void> {
    const end = await this.#walk(plans[planId].stages, first, rollout);
    if (end.is === 'through') rollout.end = 'completed';
    else if (end.is === 'superseded') await this.#supersede(end, rollout);
    else if (end.is === 'aborted') rollout.end = end.is;
    else if ((end.state as RolloutState).failure?.Error === rollBackAskedError) {
      await this.#leave(wayBackOf(plans[planId]), end.state, rollout);
    } else await this.#leave(wayOutOf(plans[planId], end.stage), end.state, rollout);
  }

  async #leave(way: WayOutId, state: unknown, rollout: Rollout): Promise<void> {
    const end = await this.#walk(waysOut[way].stages, state, rollout);
    if (end.is === 'superseded') await this.#supersede(end, rollout);
    else if (end.is === 'aborted') rollout.end = end.is;
    else if (end.is === 'failed' && way !== 'stall') await this.#leave('stall', end.state, rollout);
    else rollout.end = way === 'stall' ? 'stalled' : 'rolled-back';
  }

  /** Somebody has to start what the rollout has stopped. */
  async #supersede({ stopped, state }: Superseded, rollout: Rollout): Promise<void> {
    const end = stopped ? await this.#walk(handOver, state, rollout) : { is: 'through' as const };
    if (end.is === 'failed') await this.#leave('stall', end.state, rollout);
    else rollout.end = end.is === 'aborted' ? end.is : 'superseded';
  }

  async #walk(
    way: readonly StageId[],
    first: unknown,
    rollout: Rollout,
  ): Promise<
    { is: 'through' } | Superseded | { is: 'aborted' } | { is: 'failed'; stage: StageId; state: unknown }
  > {
    let state = first;
    for (const [index, id] of way.entries()) {
      rollout.entered.push(id);
      rollout.last = state as RolloutState;
      if (rollout.entered.length === this.abortAt) {
        this.abortAt = null;
        return { is: 'aborted' };
      }
      const { waitSeconds } = stages[id] as StageDescription;
      if (waitSeconds !== undefined) {
        rollout.transitions += 1;
        await new Promise<void>((resolve) => this.clock.after(waitSeconds * 1000, resolve));
      }
      const { each } = stages[id] as StageDescription;
      const result =
        each === undefined
          ? await this.#stage(id, state, rollout)
          : { ok: true as const, state: await this.#map(id, each, state as RolloutState, rollout) };
      const { waitAfter } = stages[id] as StageDescription;
      if (result.ok && waitAfter !== undefined) {
        rollout.transitions += 1;
        const held = ((result.state as RolloutState)[waitAfter] ?? 0) * 1000;
        await new Promise<void>((resolve) => this.clock.after(held, resolve));
      }
      if (!result.ok) return ended(way, index, state, result.error);
      state = result.state;
      const { repeats, over } = stages[id] as StageDescription;
      if (repeats !== undefined) rollout.transitions += 1;
      // The state machine comes back to a stage that has more to do, over the ranges that it may have left.
      while (repeats !== undefined && (state as RolloutState)[repeats]?.finished === false) {
        rollout.last = state as RolloutState;
        if (over !== undefined && (state as RolloutState).ranges !== undefined) {
          rollout.entered.push(over);
          if (rollout.entered.length === this.abortAt) {
            this.abortAt = null;
            return { is: 'aborted' };
          }
          state = await this.#ranges(over, state as RolloutState, rollout);
        }
        const again = await this.#stage(id, state, rollout);
        rollout.transitions += 1;
        if (!again.ok) return ended(way, index, state, again.error);
        state = again.state;
      }
    }
    return { is: 'through' };
  }

  /** A stage over a list, one item after the other: what fails for good is recorded. */
  async #map(id: StageId, { items }: Each, state: RolloutState, rollout: Rollout): Promise<unknown> {
    const given = Object.fromEntries(itemMembers.map((member) => [member, state[member]]));
    const results: unknown[] = [];
    for (const item of state[items] ?? []) {
      const input = (retries: number) => ({ id: item, retries, rollout: given });
      const result = await this.#stage(id, input, rollout);
      results.push(result.ok ? result.state : { id: item, outcome: 'failed', code: result.error.name });
    }
    return { ...state, [items]: results };
  }

  /** A stage over ranges, one after the other, each slice after slice: what fails for good is recorded. */
  async #ranges(id: StageId, state: RolloutState, rollout: Rollout): Promise<unknown> {
    const results: RangeResult[] = [];
    for (const range of state.ranges ?? []) {
      if ('outcome' in range) throw new Error('a range was swept twice');
      let item: RangeItem = range;
      let code: string | undefined;
      do {
        const result = await this.#stage(id, item, rollout);
        if (result.ok) item = result.state as RangeItem;
        else code = result.error.name;
      } while (!item.finished && code === undefined);
      const { moved } = item;
      const { target } = item.range;
      results.push(
        code === undefined ? { target, outcome: 'swept', moved } : { target, outcome: 'failed', moved, code },
      );
    }
    return { ...state, ranges: results };
  }

  /** @param state the stage's input, or what makes it from the number of tries before. */
  async #stage(
    id: StageId,
    state: unknown,
    rollout: Rollout,
  ): Promise<{ ok: true; state: unknown } | { ok: false; error: Error }> {
    let retries = 0;
    const used = new Map<StageRetry, number>();
    for (;;) {
      rollout.transitions += 1;
      const process: Process = { dead: false };
      const started = this.clock.now();
      try {
        const input: unknown = typeof state === 'function' ? state(retries) : state;
        const result = await stageDefinitions[id].run(input, {
          settings: this.#settings,
          self: functionArn,
          remaining: () => stages[id].timeoutSeconds * 1000 - (this.clock.now() - started),
          ports: {
            secrets: secretsPort(this.secrets, administrator, this.gate, process),
            events: this.#eventsPort(process),
            consumers: new Map([['ecs', ecsHook.connect(this.#ecsPort(process))]]),
            fleets: new Map([['http', fleetHook.connect(this.#fleetPort(process))]]),
            reencryption: new Map([['memory', storeHook.connect(this.#storePort(process))]]),
            ...this.#targetPorts(process),
            classes: new Map([[this.#setting.secretClass.id, this.#setting.secretClass]]),
            http: {
              send: (request) => this.gate.call('probe', process, () => this.application.answer(request)),
            },
            clock: this.#clockPort(),
            metrics: this.#metrics,
            log: this.#log,
          },
        });
        this.printed.push(JSON.stringify(result));
        return { ok: true, state: result };
      } catch (caught) {
        const error = process.dead
          ? Object.assign(new Crash('crash'), { name: 'Runtime.ExitError' })
          : publicError(caught);
        this.printed.push(`${error.name}: ${error.message}`);
        const retry = stages[id].retry.find(({ errors }) =>
          (errors as readonly string[]).includes(error.name),
        );
        const tries = retry === undefined ? 0 : (used.get(retry) ?? 0);
        if (retry === undefined || tries >= retry.maxAttempts) return { ok: false, error };
        used.set(retry, tries + 1);
        retries += 1;
        const wait = Math.min(retry.intervalSeconds * retry.backoffRate ** tries, retry.maxDelaySeconds);
        await new Promise<void>((resolve) => this.clock.after(wait * 1000, resolve));
      }
    }
  }

  #fleetPort(process: Process): InstancesApi {
    return {
      send: (call) => this.gate.call(`${call.method} instances`, process, () => this.fleet.api.send(call)),
    };
  }

  #storePort(process: Process): StorePort {
    const { store } = this;
    if (store === null) {
      const sizes = { ranges: 1, countRows: 1 };
      return {
        page: async () => [],
        swap: async () => false,
        options: noStoreFaults,
        given: () => {},
        sizes,
      };
    }
    return {
      page: (afterRow, count) => this.gate.call('SELECT', process, async () => store.page(afterRow, count)),
      swap: (id, seen, row) =>
        this.gate.call('UPDATE', process, async () => {
          this.#called += 1;
          if (this.failFrom?.call === 'UPDATE' && this.#called > this.failFrom.after) {
            throw new KeyturnError({
              code: 'ReencryptionFailed',
              message: 'The data cannot be reached.',
              retryable: true,
            });
          }
          return store.swap(id, seen, row);
        }),
      options: store.faults,
      given: ({ ring, versionIds }) => {
        const named = this.versions().filter(({ id }) => versionIds.includes(id));
        const texts = new Set(named.flatMap(textsOf));
        for (const { id, text } of [ring.write, ...ring.others]) {
          if (!texts.has(text.reveal())) this.unnamedKeys.push(id);
        }
        const first = named.find(({ id }) => id === versionIds[0]);
        if (first === undefined || !textsOf(first).includes(ring.write.text.reveal())) {
          this.unnamedKeys.push(ring.write.id);
        }
      },
      sizes: store.sizes,
    };
  }

  #ecsPort(process: Process): Ecs {
    const of = (service: string) =>
      this.applications[Number(service.slice(4) || 1) - 1]?.ecs ?? this.application.ecs;
    const call = <T>(name: string, effect: () => Promise<T>) => this.gate.call(name, process, effect);
    return {
      state: (cluster, service) =>
        call('DescribeServices', async () => {
          const state = await of(service).state(cluster, service);
          return { ...state, arn: service };
        }),
      tasks: (cluster, service) => call('DescribeTasks', () => of(service).tasks(cluster, service)),
      forceDeployment: (cluster, service) =>
        call('UpdateService', () => of(service).forceDeployment(cluster, service)),
      stopping: (cluster, service) => call('DescribeTasks', () => of(service).stopping(cluster, service)),
      scale: (cluster, service, desired, fresh) =>
        call('UpdateService', () => of(service).scale(cluster, service, desired, fresh)),
      park: (arn, note) => call('TagResource', () => of(arn).park(arn, note)),
    };
  }

  async #rotateSecret(input: JsonObject): Promise<boolean> {
    try {
      await this.asOperator('RotateSecret', {
        SecretId: secretName,
        ClientRequestToken: this.#uuid(),
        ...input,
      });
      return true;
    } catch (caught) {
      if (caught instanceof Error && /isn.t complete/.test(caught.message)) return false;
      throw caught;
    }
  }

  /** A call that a person makes. */
  asOperator(operation: string, input: JsonObject): Promise<JsonObject> {
    return this.secrets.handle(operation, input, administrator);
  }

  /** A value that a person types: right for every class here, and never the same twice. */
  #typed(): string {
    return `typed-${Buffer.from(this.#bytes(33)).toString('base64url')}`;
  }

  /** Not secret, but different at every draw and the same for every run of a seed. */
  #bytes(count: number): Uint8Array {
    const chunks: Buffer[] = [];
    for (let length = 0; length < count; length += 32) {
      this.#random += 1;
      chunks.push(createHash('sha256').update(`${this.#seed} ${this.#random}`).digest());
    }
    return Buffer.concat(chunks).subarray(0, count);
  }

  #uuid(): string {
    const hex = Buffer.from(this.#bytes(16)).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
}

/** A later version became current. */
interface Superseded {
  readonly is: 'superseded';
  /** Whether the consumers were stopped then. */
  readonly stopped: boolean;
  readonly state: unknown;
}

/** How a walk ends at a stage that failed for good. */
function ended(
  way: readonly StageId[],
  index: number,
  before: unknown,
  error: Error,
): Superseded | { is: 'failed'; stage: StageId; state: unknown } {
  const failure = { Error: error.name, Cause: JSON.stringify({ errorMessage: error.message }) };
  const state = { ...(before as RolloutState), failure };
  return error.name === supersededError
    ? { is: 'superseded', stopped: isStoppedAt(way, index), state }
    : { is: 'failed', stage: way[index] ?? 'settle', state };
}

const crashed: InvocationResult = {
  ok: false,
  errorType: 'Runtime.ExitError',
  errorMessage: 'RequestId: 0 Error: Runtime exited with error: signal: killed',
};

/** Every text of a version that may be a key: the members, and the parts of a list. */
export function textsOf(version: VersionSnapshot): string[] {
  const document = documentOf(version);
  return document.names().flatMap((name) => document.value(name).reveal().split(','));
}

export function documentOf(version: VersionSnapshot): SecretDocument {
  const { value } = version;
  if (value?.kind !== 'string') return emptyDocument();
  return parseDocument(new Sensitive(value.text), 'a stored value');
}

/** What a task of the application takes from a document when it starts. */
function loaded(document: SecretDocument | null, variable: string) {
  const names = document?.names() ?? [];
  const members = Object.fromEntries(names.map((name) => [name, document?.value(name).reveal() ?? '']));
  return { value: members[variable] ?? null, document: members };
}
