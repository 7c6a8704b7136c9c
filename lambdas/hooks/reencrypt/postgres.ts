import * as z from 'zod/mini';
import { Credential, keyStatements } from '../../contract/credential.ts';
import type { Random } from '../../contract/ports.ts';
import { defineReencrypt, type ReencryptPorts, type Slice } from '../../contract/reencryption.ts';
import { Column, columnBreaks, targetOf } from '../sweep/columns.ts';
import type { Server, Tls } from '../sweep/connection.ts';
import { dividedBy } from '../sweep/divide.ts';
import { runSweep, type Sweep } from '../sweep/sweep.ts';

/** Minutes of work for one worker. */
const largeTable = 5_000_000;

const Ranges = z.strictObject({
  /**
   * Rows, as the server estimates them, above which a table is divided into ranges of its key, 1–10^12. Default:
   * 5,000,000.
   */
  above: z._default(z.int().check(z.minimum(1), z.maximum(1_000_000_000_000)), largeTable),
  /**
   * Ranges of one table, and workers at once, with two connections each, 1–8; 1: no table is divided. Default: 4,
   * beyond which the server is what limits the sweep.
   */
  most: z._default(z.int().check(z.minimum(1), z.maximum(8)), 4),
});

const Hook = z.object({
  kind: z.literal('postgres'),
  /** The member of a secret that holds the DSN, a URL: of a user with SELECT and UPDATE on these columns only. */
  connection: Credential,
  /** How the server is verified: PEM text of its authorities, `system`, `rds` (Amazon’s), or `off-on-loopback`. Default: `system`. */
  tls: z._default(
    z.union([
      z.strictObject({ ca: z.string().check(z.startsWith('-----BEGIN')) }),
      z.enum(['system', 'rds', 'off-on-loopback']),
    ]),
    'system',
  ),
  columns: z.array(Column).check(z.minLength(1), z.maxLength(200)),
  /** Rows of one page and one UPDATE, 1–10,000. Default: 1,000, beyond which it gets no faster. */
  batch: z._default(z.int().check(z.minimum(1), z.maximum(10_000)), 1_000),
  /** How tables that are large are divided among workers. Default: as its members say. */
  ranges: z._default(Ranges, { above: largeTable, most: 4 }),
  /** Rows per second at most, 1 or more; workers share them. Default: as fast as the server takes them. */
  rowsPerSecond: z.optional(z.int().check(z.minimum(1))),
  /** Seconds that the slowest replica may lag behind before the sweep waits, 1–3,600. Default: 10. */
  replicaLagSeconds: z._default(z.int().check(z.minimum(1), z.maximum(3_600)), 10),
  /**
   * Active sessions beside its own before the sweep waits, 1 or more. Default: any number. The user sees those of
   * others with pg_read_all_stats only.
   */
  activeSessions: z.optional(z.int().check(z.minimum(1))),
});
type Hook = z.infer<typeof Hook>;

export interface SweepPort {
  readonly server: Server;
  readonly random: Random;
}

/**
 * The built-in sweep of columns in PostgreSQL: no call of the platform is needed, and none of its writes is lost,
 * whichever key it writes under. AES-GCM takes at most 2^32 ciphertexts with random nonces per key (NIST SP
 * 800-38D section 8.3); a sweep makes one for each row.
 */
export const hook = defineReencrypt<Hook, SweepPort>({
  kind: 'postgres',
  hook: Hook,

  check({ columns }) {
    const targets = columns.map(targetOf);
    const doubled = targets.find((target, index) => targets.indexOf(target) !== index);
    if (doubled !== undefined) return `columns must name each column once; ${doubled} is named twice.`;
    return columns.map(columnBreaks).find((sentence) => sentence !== null) ?? null;
  },

  statements: ({ connection }) => keyStatements([connection]),
  credentials: ({ connection }) => [connection.secret],

  async divide(declared, slice, port, ports) {
    const { above, most } = declared.ranges;
    if (most === 1) return null;
    const sweep = sweepOf(declared, slice, port, ports);
    const ranges = await dividedBy({ above, into: most }, sweep, slice, ports);
    return ranges.length === 0 ? null : { ranges, atOnce: most };
  },

  run: (declared, slice, port, ports) => runSweep(sweepOf(declared, slice, port, ports), slice, ports),

  // Everything is looked at again: a tag says what somebody meant to write, a key that opens the row says what is there.
  count: (declared, slice, port, ports) =>
    runSweep(sweepOf(declared, slice, port, ports), { ...slice, dryRun: true }, ports),
});

function sweepOf(
  declared: Hook,
  { range }: Slice,
  { server, random }: SweepPort,
  ports: ReencryptPorts,
): Sweep {
  const { columns, batch, connection, ranges, replicaLagSeconds, activeSessions } = declared;
  // Others work beside a range, as many as are worked on at once.
  const share = range === undefined ? 1 : ranges.most;
  const rowsPerSecond =
    declared.rowsPerSecond === undefined
      ? undefined
      : Math.max(1, Math.floor(declared.rowsPerSecond / share));
  const tls: Tls = declared.tls;
  return {
    columns,
    batch,
    random,
    limits: { rowsPerSecond, replicaLagSeconds, activeSessions },
    connect: async () => server.connect(await ports.credential(connection.secret, connection.member), tls),
  };
}
