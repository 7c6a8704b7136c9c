/**
 * The lists of deployed instances that a deployment plugs in: each kind is one file in `lambdas/hooks/instances`,
 * and it declares beside its code the schema of its members and the IAM statements that it needs.
 */
import type * as z from 'zod/mini';
import { brokenRules } from './deployment.ts';
import type { SecretDocument } from './document.ts';
import type { Bound, IamStatement, ProbePorts, Renewing, Verdict } from './hooks.ts';
import type { Clock } from './ports.ts';

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
