/**
 * What a deployment plugs in. A kind of hook is one file in `lambdas/hooks/<what>/`, and it declares beside
 * its code the schema of its members and the IAM statements that it needs.
 */
import type * as z from 'zod/mini';
import { brokenRules } from './deployment.ts';
import type { SecretDocument } from './document.ts';
import type { Clock, Http } from './ports.ts';

/** Stands in a statement's resources for the ARNs of the secrets that the function works for. */
export const secretsPlaceholder = '{secrets}';

/**
 * An IAM statement. Resources and values of conditions may hold `{partition}`, `{region}` and `{account}`; a
 * resource may be `{secrets}`.
 */
export interface IamStatement {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Why a resource is a wildcard; required where one is, and printed with the finding's acknowledgement. */
  readonly wildcardReason?: string;
}

/**
 * As a resource: the secrets that this consumer reads, each by its ARN. Declared by a hook that hands values
 * on itself; use of the secrets' keys through Secrets Manager comes with it.
 */
export const eachSecret = '{secret}';

/** What a consumer looks like now. */
export type Renewal =
  | {
      readonly renewed: true;
      /** One sentence: what this kind of consumer cannot show, and a person may have to look at. */
      readonly unproven?: string;
    }
  | {
      readonly renewed: false;
      /** One sentence: what is still missing. */
      readonly reason: string;
      /** True: this restart has failed, and waiting longer is no use. Default: false. */
      readonly over?: boolean;
    };

/** What a redeploy has to know of the version that it brings to a consumer. */
export interface Renewing {
  /** The secret's full ARN. */
  readonly secretId: string;
  readonly versionId: string;
  /** When AWSCURRENT moved: what runs counts as renewed only if it started after this. */
  readonly since: Date;
}

/**
 * One kind of consumer. `Port` is the API by which it is restarted, as this hook needs it and no wider; its
 * adapter lies in `lambdas/adapters/consumers/<kind>.ts`.
 */
export interface RedeployHook<Consumer, Port> {
  /** Equal to the name of its file. */
  readonly kind: string;
  readonly consumer: z.ZodMiniType<Consumer>;
  /** Rules that a schema cannot say. @returns the sentence of the first broken one, or null. */
  check(consumer: Consumer): string | null;
  statements(consumer: Consumer): readonly IamStatement[];
  /**
   * Starts a restart, unless what runs is younger than the version already or a restart that is young enough
   * is under way. May run twice.
   */
  begin(consumer: Consumer, renewing: Renewing, port: Port, clock: Clock): Promise<void>;
  /** Whether everything that runs is healthy and started after the version. Changes nothing. */
  look(consumer: Consumer, renewing: Renewing, port: Port, clock: Clock): Promise<Renewal>;
  /**
   * Stops what runs, unless it is stopped already, and remembers at the consumer itself what to start again: the
   * next `begin` starts that. May run twice, and be killed in between. Left out: this kind cannot be stopped.
   */
  quiesce?(consumer: Consumer, port: Port, clock: Clock): Promise<Idleness>;
  /** IAM statements that `quiesce` needs beyond `statements`. Default: none. */
  quiesceStatements?(consumer: Consumer): readonly IamStatement[];
}

/** Whether anything of a consumer still runs. */
export type Idleness =
  | { readonly idle: true }
  | {
      readonly idle: false;
      /** One clause: what still runs. */
      readonly reason: string;
    };

/** What one deployed instance looks like now. Reasons are clauses; they hold ids and states, never a token. */
export type InstanceSeen =
  /** It runs, and holds a token that was issued after the version. */
  | { readonly is: 'renewed' }
  /** It is on its way. */
  | { readonly is: 'starting'; readonly reason: string }
  /** It runs with a token from before the version. */
  | { readonly is: 'outdated'; readonly reason: string }
  /** It did not come up. */
  | { readonly is: 'failed'; readonly reason: string }
  /** The platform does not have it any more. */
  | { readonly is: 'gone' };

/**
 * One kind of list of deployed instances. `Port` is the API by which they are listed and redeployed; its adapter
 * lies in `lambdas/adapters/instances/<kind>.ts`.
 */
export interface FleetHook<Fleet, Port> {
  /** Equal to the name of its file. */
  readonly kind: string;
  readonly fleet: z.ZodMiniType<Fleet>;
  /** Rules that a schema cannot say. @returns the sentence of the first broken one, or null. */
  check(fleet: Fleet): string | null;
  statements(fleet: Fleet): readonly IamStatement[];
  /** How many instances may be redeployed at once; null: the plan's own number. */
  concurrency(fleet: Fleet): number | null;
  /**
   * The ids of every active instance, each once. Changes nothing.
   * @throws KeyturnError InstancesNotListed (retryable) or TooManyInstances.
   */
  list(fleet: Fleet, port: Port, clock: Clock): Promise<readonly string[]>;
  /** @throws KeyturnError InstanceNotRenewed (retryable) when the platform gives no usable answer. */
  look(fleet: Fleet, id: string, renewing: Renewing, port: Port, clock: Clock): Promise<InstanceSeen>;
  /** Asks the platform to redeploy the instance. May run twice. @throws KeyturnError InstanceNotRenewed. */
  begin(fleet: Fleet, id: string, port: Port, clock: Clock): Promise<void>;
  /** Whether the platform accepts a token of this instance that the document's key signs; null: nothing can ask. */
  ask(fleet: Fleet, id: string, document: SecretDocument, ports: ProbePorts): Promise<Verdict | null>;
}

/** What the target said of a value. */
export type Verdict =
  | 'accepted'
  | 'refused'
  /** Neither: overloaded, unreachable, an answer that was not foreseen. Never read as refused. */
  | 'inconclusive';

export interface ProbePorts {
  readonly http: Http;
  readonly clock: Clock;
}

export interface ProbeHook<Probe> {
  /** Equal to the name of its file. */
  readonly kind: string;
  readonly probe: z.ZodMiniType<Probe>;
  /** Rules that a schema cannot say. @returns the sentence of the first broken one, or null. */
  check(probe: Probe): string | null;
  /** Uses the document's value once at the real target. Has no side effects there. */
  ask(probe: Probe, document: SecretDocument, ports: ProbePorts): Promise<Verdict>;
}

/** A hook whose members have been checked, or the sentences of the rules that they break. */
export type Bound<T> =
  | { readonly ok: true; readonly hook: T }
  | { readonly ok: false; readonly broken: readonly string[] };

/** A consumer with its hook and its API: what the redeploy stage works with. */
export interface BoundConsumer {
  begin(renewing: Renewing, clock: Clock): Promise<void>;
  look(renewing: Renewing, clock: Clock): Promise<Renewal>;
  /** Null: this kind cannot be stopped. */
  readonly quiesce: ((clock: Clock) => Promise<Idleness>) | null;
}

/** A kind with its API: what the function of the redeploy stage is given, for the kinds in use. */
export interface ConnectedKind {
  readonly kind: string;
  bind(consumer: unknown): Bound<BoundConsumer>;
}

/** A kind as the deployment file and the stacks see it, without any API. */
export interface RedeployKind {
  readonly kind: string;
  /** The IAM statements of a consumer, or the rules that it breaks. */
  check(consumer: unknown): Bound<readonly IamStatement[]>;
  /** What stopping a consumer needs beyond that; null: this kind cannot be stopped. */
  quiesces(consumer: unknown): readonly IamStatement[] | null;
}

/** Declares a kind of consumer: what a file in `lambdas/hooks/redeploy` exports. */
export function defineRedeploy<Consumer, Port>(
  declared: RedeployHook<Consumer, Port>,
): RedeployKind & { connect(port: Port): ConnectedKind } {
  const { kind } = declared;

  function checked<T>(input: unknown, made: (consumer: Consumer) => T): Bound<T> {
    const result = declared.consumer.safeParse(input);
    if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, input) };
    const broken = declared.check(result.data);
    return broken === null ? { ok: true, hook: made(result.data) } : { ok: false, broken: [broken] };
  }

  function quiesceOf(consumer: Consumer, port: Port): BoundConsumer['quiesce'] {
    const { quiesce } = declared;
    return quiesce === undefined ? null : (clock) => quiesce(consumer, port, clock);
  }

  return {
    kind,
    check: (input) => checked(input, (consumer) => declared.statements(consumer)),
    quiesces(input) {
      if (declared.quiesce === undefined) return null;
      const bound = checked(input, (consumer) => declared.quiesceStatements?.(consumer) ?? []);
      return bound.ok ? bound.hook : null;
    },
    connect: (port) => ({
      kind,
      bind: (input) =>
        checked(input, (consumer) => ({
          begin: (renewing, clock) => declared.begin(consumer, renewing, port, clock),
          look: (renewing, clock) => declared.look(consumer, renewing, port, clock),
          quiesce: quiesceOf(consumer, port),
        })),
    }),
  };
}

/** A list of instances with its hook and its API: what the stages work with. */
export interface BoundFleet {
  list(clock: Clock): Promise<readonly string[]>;
  look(id: string, renewing: Renewing, clock: Clock): Promise<InstanceSeen>;
  begin(id: string, clock: Clock): Promise<void>;
  ask(id: string, document: SecretDocument, ports: ProbePorts): Promise<Verdict | null>;
}

/** A kind with its API: what the functions of the stages that need it are given. */
export interface ConnectedFleetKind {
  readonly kind: string;
  bind(fleet: unknown): Bound<BoundFleet>;
}

/** What the stacks are told of a list of instances. */
export interface FleetNeeds {
  readonly statements: readonly IamStatement[];
  readonly concurrency: number | null;
}

/** A kind as the deployment file and the stacks see it, without any API. */
export interface FleetKind {
  readonly kind: string;
  /** What the list needs, or the rules that it breaks. */
  check(fleet: unknown): Bound<FleetNeeds>;
}

/** Declares a kind of instance list: what a file in `lambdas/hooks/instances` exports. */
export function defineFleet<Fleet, Port>(
  declared: FleetHook<Fleet, Port>,
): FleetKind & { connect(port: Port): ConnectedFleetKind } {
  const { kind } = declared;

  function checked<T>(input: unknown, made: (fleet: Fleet) => T): Bound<T> {
    const result = declared.fleet.safeParse(input);
    if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, input) };
    const broken = declared.check(result.data);
    return broken === null ? { ok: true, hook: made(result.data) } : { ok: false, broken: [broken] };
  }

  return {
    kind,
    check: (input) =>
      checked(input, (fleet) => ({
        statements: declared.statements(fleet),
        concurrency: declared.concurrency(fleet),
      })),
    connect: (port) => ({
      kind,
      bind: (input) =>
        checked(input, (fleet) => ({
          list: (clock) => declared.list(fleet, port, clock),
          look: (id, renewing, clock) => declared.look(fleet, id, renewing, port, clock),
          begin: (id, clock) => declared.begin(fleet, id, port, clock),
          ask: (id, document, ports) => declared.ask(fleet, id, document, ports),
        })),
    }),
  };
}

/** A probe with its members bound: what the prove stage works with. */
export interface BoundProbe {
  ask(document: SecretDocument, ports: ProbePorts): Promise<Verdict>;
}

export interface ProbeKind {
  readonly kind: string;
  bind(probe: unknown): Bound<BoundProbe>;
}

/** Declares a kind of probe: what a file in `lambdas/hooks/probe` exports. */
export function defineProbe<Probe>(declared: ProbeHook<Probe>): ProbeKind {
  return {
    kind: declared.kind,
    bind(input) {
      const result = declared.probe.safeParse(input);
      if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, input) };
      const broken = declared.check(result.data);
      if (broken !== null) return { ok: false, broken: [broken] };
      return { ok: true, hook: { ask: (document, ports) => declared.ask(result.data, document, ports) } };
    },
  };
}
