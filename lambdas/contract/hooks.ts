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
  /**
   * Whether another secret of the deployment reaches what this consumer restarts. A hook that carries values
   * itself then leaves the other one time to bring its value, so that one restart serves both. Default: no.
   */
  readonly shared?: boolean;
}

/** What a stop has to know. */
export interface Stopping {
  /** ARN of the secret whose data is to be moved: what it stopped, only its own rollout starts again. */
  readonly secretId: string;
  /** The same for every try of one stop, and another one for the next: letters and digits. */
  readonly stop: string;
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
   * What it restarts, each by a name that is the same for every consumer that restarts it. Declared by a hook
   * that carries values itself, and by one whose look and restart are two calls that another may come between.
   * Default: none.
   */
  restarts?(consumer: Consumer): readonly string[];
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
  quiesce?(consumer: Consumer, stopping: Stopping, port: Port, clock: Clock): Promise<Idleness>;
  /** What of this consumer cannot be stopped, as a noun; null: nothing. Default: null. */
  unstoppable?(consumer: Consumer): string | null;
  /** IAM statements that `quiesce` needs beyond `statements`. Default: none. */
  quiesceStatements?(consumer: Consumer): readonly IamStatement[];
}

/**
 * Seconds that a hook leaves to other secrets for bringing their values, after it brought its own and before it
 * restarts what they share: as many as a rollout waits before it redeploys, which is what gathers the restarts
 * of consumers that read Secrets Manager themselves.
 */
export const gatherSeconds = 20;

/** Whether anything of a consumer still runs. */
export type Idleness =
  | { readonly idle: true }
  | {
      readonly idle: false;
      /** One clause: what still runs. */
      readonly reason: string;
    };

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
  /** What it restarts, where the hook names it. Default: none. */
  readonly restarts?: readonly string[];
  begin(renewing: Renewing, clock: Clock): Promise<void>;
  look(renewing: Renewing, clock: Clock): Promise<Renewal>;
  /** Null: this kind cannot be stopped. */
  readonly quiesce: ((stopping: Stopping, clock: Clock) => Promise<Idleness>) | null;
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
  /** What stopping a consumer needs beyond that, or what of it cannot be stopped. */
  quiesces(consumer: unknown): Bound<readonly IamStatement[]>;
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
    if (quiesce === undefined || (declared.unstoppable?.(consumer) ?? null) !== null) return null;
    return (stopping, clock) => quiesce(consumer, stopping, port, clock);
  }

  return {
    kind,
    check: (input) => checked(input, (consumer) => declared.statements(consumer)),
    quiesces(input) {
      if (declared.quiesce === undefined) return { ok: false, broken: [kind] };
      const what = checked(input, (consumer) => declared.unstoppable?.(consumer) ?? null);
      if (what.ok && what.hook !== null) return { ok: false, broken: [what.hook] };
      return checked(input, (consumer) => declared.quiesceStatements?.(consumer) ?? []);
    },
    connect: (port) => ({
      kind,
      bind: (input) =>
        checked(input, (consumer) => ({
          restarts: declared.restarts?.(consumer) ?? [],
          begin: (renewing, clock) => declared.begin(consumer, renewing, port, clock),
          look: (renewing, clock) => declared.look(consumer, renewing, port, clock),
          quiesce: quiesceOf(consumer, port),
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
