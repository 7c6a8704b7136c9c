/**
 * What a deployment plugs in. A kind of hook is one file in `lambdas/hooks/<what>/`, and it declares beside
 * its code the schema of its members and the IAM statements that it needs.
 */
import type * as z from 'zod/mini';
import { brokenRules } from './deployment.ts';
import type { SecretDocument } from './document.ts';
import type { Clock, Ecs, Http } from './ports.ts';

/** An IAM statement. Resources may hold `{partition}`, `{region}` and `{account}`. */
export interface IamStatement {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Why a resource is a wildcard; required where one is, and printed with the finding's acknowledgement. */
  readonly wildcardReason?: string;
}

/** The APIs by which consumers are restarted. Only a stage that restarts them gets these. */
export interface ConsumerPorts {
  readonly ecs: Ecs;
}

export interface RedeployPorts extends ConsumerPorts {
  readonly clock: Clock;
}

/** What a consumer looks like now. */
export type Renewal =
  | { readonly renewed: true }
  | { readonly renewed: false /** One sentence: what is still missing. */; readonly reason: string };

export interface RedeployHook<Consumer> {
  /** Equal to the name of its file. */
  readonly kind: string;
  readonly consumer: z.ZodMiniType<Consumer>;
  statements(consumer: Consumer): readonly IamStatement[];
  /**
   * Starts a restart, unless what runs is younger than `since` already or a restart that is young enough is
   * under way. May run twice.
   */
  begin(consumer: Consumer, since: Date, ports: RedeployPorts): Promise<void>;
  /** Whether everything that runs is healthy and started after `since`. Changes nothing. */
  look(consumer: Consumer, since: Date, ports: RedeployPorts): Promise<Renewal>;
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

/** A redeploy hook with its consumer bound: what the redeploy stage works with. */
export interface BoundConsumer {
  readonly statements: readonly IamStatement[];
  begin(since: Date, ports: RedeployPorts): Promise<void>;
  look(since: Date, ports: RedeployPorts): Promise<Renewal>;
}

export interface RedeployKind {
  readonly kind: string;
  bind(consumer: unknown): Bound<BoundConsumer>;
}

/** Declares a kind of consumer: what a file in `lambdas/hooks/redeploy` exports. */
export function defineRedeploy<Consumer>(declared: RedeployHook<Consumer>): RedeployKind {
  return {
    kind: declared.kind,
    bind(input) {
      const result = declared.consumer.safeParse(input);
      if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, input) };
      const consumer = result.data;
      return {
        ok: true,
        hook: {
          statements: declared.statements(consumer),
          begin: (since, ports) => declared.begin(consumer, since, ports),
          look: (since, ports) => declared.look(consumer, since, ports),
        },
      };
    },
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
