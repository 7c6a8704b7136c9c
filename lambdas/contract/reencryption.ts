/**
 * Re-encryption of stored data: what a file in `lambdas/hooks/reencrypt` declares and what its runs report.
 * Every hook moves data to the ring's `write` key; forward and back are the same work under another ring.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { KeyRing } from './ciphers.ts';
import { brokenRules } from './deployment.ts';
import type { Bound, IamStatement } from './hooks.ts';
import type { Clock, Log } from './ports.ts';
import type { Sensitive } from './sensitive.ts';

/** What is known of one target: a table's column, a store, a tenant. Counts and names only, never a value. */
export const TargetCount = z.strictObject({
  target: z.string(),
  /** Null: the hook cannot tell. */
  total: z.nullable(z.int()),
  /** Moved by this run of the stage, over all slices. */
  moved: z.int(),
  /** Not under the `write` key: what keeps retire from beginning. Includes the poisoned ones. */
  left: z.int(),
  /** Of `left`: what cannot be read and was set aside. */
  poisoned: z.int(),
  /** Data by the id of the key that it is under, where it was counted. Default: it was not. */
  under: z.optional(z.record(z.string(), z.int())),
});
export type TargetCount = z.infer<typeof TargetCount>;

/** One datum that was set aside. */
export const SetAside = z.strictObject({
  target: z.string(),
  /** The row's primary key as text, or what the platform's answer names it by. */
  row: z.string().check(z.maxLength(200)),
  poison: z.string(),
});
export type SetAside = z.infer<typeof SetAside>;

/**
 * A short name of a datum, for what has little room: the first 10 hexadecimal digits of a SHA-256 over its target
 * and its row.
 */
export function rowId(target: string, row: string): string {
  return createHash('sha256').update(`${target}\0${row}`).digest('hex').slice(0, 10);
}

/** Tags that hold acknowledged rows begin with this; a number follows, since a tag's value ends at 256 characters. */
export const acknowledgedTag = 'keyturn:acknowledged-';

/** The rows that a person has acknowledged as lost, by `rowId`. */
export function acknowledgedRows(tags: ReadonlyMap<string, string>): ReadonlySet<string> {
  const values = [...tags].flatMap(([name, value]) => (name.startsWith(acknowledgedTag) ? [value] : []));
  return new Set(values.flatMap((value) => value.split(' ').filter((id) => id !== '')));
}

/** Most set-aside data that a report lists; the counts tell the rest. A state's payload is 256 KiB at most. */
export const mostSetAside = 100;

export const SliceReport = z.strictObject({
  /** True: nothing is left that the hook can move. */
  finished: z.boolean(),
  /** Where the next slice goes on; null when finished, or when it begins anew. Opaque; holds positions, never values. */
  cursor: z.nullable(z.string().check(z.maxLength(2048))),
  targets: z.array(TargetCount),
  setAside: z.array(SetAside),
  /** What a person should know: estimates, and what could not be checked. Default: nothing. */
  notes: z.optional(z.array(z.string().check(z.maxLength(400)))),
  /** How fast this run goes. Default: not known. */
  speed: z.optional(
    z.strictObject({
      rowsPerSecond: z.number(),
      /** Until the rows that are known have been gone over once; null: their number is not known. */
      secondsLeft: z.nullable(z.number()),
    }),
  ),
});
export type SliceReport = z.infer<typeof SliceReport>;

export interface Slice {
  readonly ring: KeyRing;
  /** As the slice before returned it; null for the first one. A lost or stale cursor costs time, never data. */
  readonly cursor: string | null;
  /** Tells what would be done, and changes nothing. */
  readonly dryRun: boolean;
  /** ARN of the secret whose data is moved: for hooks that read its keys themselves. */
  readonly secretId: string;
  /**
   * Ids of the versions of it that together hold every key of the ring, the one with the `write` key first. Labels
   * would not do: whoever types a value moves AWSPREVIOUS away from a version that a way back still needs.
   */
  readonly versionIds: readonly string[];
}

/** What every hook is given beside its own port. */
export interface ReencryptPorts {
  readonly clock: Clock;
  readonly log: Log;
  /**
   * The members of another secret, by its ARN and member: credentials of a call, a DSN. Read at use, never kept.
   * @throws KeyturnError when the secret or the member is missing.
   */
  credential(secretArn: string, member: string): Promise<Sensitive>;
  /** Milliseconds until this slice must have answered. */
  remaining(): number;
  /** Called as work goes on; at most a few times a second. */
  progress(report: SliceReport): void;
}

/**
 * One kind of re-encryption. `Port` is the API that it works through, as narrow as it can be; its adapter lies
 * in `lambdas/adapters/reencrypt/<kind>.ts`, which exports `connected()`.
 */
export interface ReencryptHook<Hook, Port> {
  /** Equal to the name of its file. */
  readonly kind: string;
  readonly hook: z.ZodMiniType<Hook>;
  /** Rules that a schema cannot say. @returns the sentence of the first broken one, or null. */
  check(hook: Hook): string | null;
  statements(hook: Hook): readonly IamStatement[];
  /** ARNs of the secrets that `credential` will be asked for. */
  credentials(hook: Hook): readonly string[];
  /**
   * False: `count` finds nothing because it cannot look, and another hook of the same secret must. Default: it can.
   */
  counts?(hook: Hook): boolean;
  /** Works until nothing is left or the time runs short. May be killed at any point and run again. */
  run(hook: Hook, slice: Slice, port: Port, ports: ReencryptPorts): Promise<SliceReport>;
  /** Counts what is not under the `write` key, by looking at everything again. Changes nothing. */
  count(hook: Hook, slice: Slice, port: Port, ports: ReencryptPorts): Promise<SliceReport>;
}

export interface ReencryptNeeds {
  readonly statements: readonly IamStatement[];
  readonly credentials: readonly string[];
  /** Whether its count is evidence. */
  readonly counts: boolean;
}

export interface BoundReencryption {
  run(slice: Slice, ports: ReencryptPorts): Promise<SliceReport>;
  count(slice: Slice, ports: ReencryptPorts): Promise<SliceReport>;
}

export interface ConnectedReencryptKind {
  readonly kind: string;
  bind(hook: unknown): Bound<BoundReencryption>;
}

export interface ReencryptKind {
  readonly kind: string;
  check(hook: unknown): Bound<ReencryptNeeds>;
}

/** Declares a kind of re-encryption. */
export function defineReencrypt<Hook, Port>(
  declared: ReencryptHook<Hook, Port>,
): ReencryptKind & { connect(port: Port): ConnectedReencryptKind } {
  const { kind } = declared;

  function checked<T>(input: unknown, made: (hook: Hook) => T): Bound<T> {
    const result = declared.hook.safeParse(input);
    if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, input) };
    const broken = declared.check(result.data);
    return broken === null ? { ok: true, hook: made(result.data) } : { ok: false, broken: [broken] };
  }

  return {
    kind,
    check: (input) =>
      checked(input, (hook) => ({
        statements: declared.statements(hook),
        credentials: declared.credentials(hook),
        counts: declared.counts?.(hook) ?? true,
      })),
    connect: (port) => ({
      kind,
      bind: (input) =>
        checked(input, (hook) => ({
          run: (slice, ports) => declared.run(hook, slice, port, ports),
          count: (slice, ports) => declared.count(hook, slice, port, ports),
        })),
    }),
  };
}
