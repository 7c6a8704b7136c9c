/** Re-encryption on a real PostgreSQL: the built-in sweep beside a loop, batches, and the writes alone. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { KeyRing } from '../../lambdas/contract/ciphers.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import { median } from './median.ts';
import { demandMoved, fillSeed, freshTable, newKey } from './reencrypt-table.ts';
import { batched, ciphersAlone, rowByRow, sweep, writesAlone } from './reencrypt-ways.ts';

export interface ReencryptRun {
  readonly rows: number;
  readonly rounds: number;
  /** Rows of the row-by-row loop, whose rate does not depend on their number. */
  readonly sample: number;
  /** Rows of the sweep whose memory is compared with that over `rows`; null: not compared. */
  readonly manyRows: number | null;
}

type Way = 'sweep' | 'moving' | 'rowByRow' | 'batched' | 'writesAlone' | 'ciphersAlone';

export interface Reencryption {
  readonly rows: number;
  readonly rounds: number;
  /**
   * Rows a second of each way; medians over the rounds. `sweep`: rows moved over the whole time until it was finished,
   * with connections, checks and the pass that found nothing. `moving`: until its last write.
   */
  readonly rates: Readonly<Record<Way, number>>;
  /** Of the sweep's rate to another's; medians of the ratios within each round. */
  readonly ratios: Readonly<Record<Exclude<Way, 'sweep'>, number>>;
  readonly memory: {
    readonly rows: number;
    readonly bytes: number;
    readonly manyRows: number;
    readonly manyBytes: number;
  } | null;
}

/** As a server is run: a loop that commits each row pays for it. */
const durable = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on', max_wal_size: '4GB' };

export async function measureReencryption(
  run: ReencryptRun,
  note: (line: string) => void,
): Promise<Reencryption> {
  const server = await startPostgres({ settings: durable });
  const client = new pg.Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  try {
    await client.connect();
    return await measured(run, server, client, note);
  } finally {
    await client.end();
    await server.stop();
  }
}

async function measured(
  { rows, rounds, sample, manyRows }: ReencryptRun,
  server: Postgres,
  client: pg.Client,
  note: (line: string) => void,
): Promise<Reencryption> {
  const [write, old] = [newKey(), newKey()];
  const ring: KeyRing = { write, others: [old] };
  const sweeping = { dsn: server.url('postgres'), ca: server.ca ?? '', ring };
  note(`Encrypting ${rows} rows.`);
  await fillSeed(client, rows, old);
  const taken: Round[] = [];
  // The first round is for the engine's compiler.
  for (let round = 0; round <= rounds; round += 1) {
    note(round === 0 ? 'Warming up.' : `Re-encrypting in four ways, round ${round} of ${rounds}.`);
    const count = round === 0 ? Math.min(rows, 20_000) : rows;
    const on = async <T>(some: number, way: () => Promise<T>): Promise<T> => {
      await freshTable(client, some);
      const result = await way();
      await demandMoved(client, some, write);
      return result;
    };
    await freshTable(client, count);
    const ciphers = count / (await ciphersAlone(client, ring));
    const ours = await on(count, () => sweep(sweeping));
    const taking = {
      sweep: count / ours.whole,
      moving: count / ours.moving,
      ciphersAlone: ciphers,
      writesAlone: count / (await on(count, () => writesAlone(client, ring))),
      batched: count / (await on(count, () => batched(client, ring))),
      rowByRow: Math.min(sample, count) / (await on(Math.min(sample, count), () => rowByRow(client, ring))),
    };
    if (round > 0) taken.push(taking);
  }
  const of = (rate: (round: Round) => number) => median(taken.map(rate));
  const texts = { write: write.text.reveal(), old: old.text.reveal() };
  const memory = async (count: number): Promise<number> => {
    note(`Weighing a sweep over ${count} rows.`);
    await freshTable(client, count);
    return peakOf(JSON.stringify({ dsn: sweeping.dsn, ca: sweeping.ca, ...texts }));
  };
  const few = manyRows === null ? null : await memory(rows);
  if (manyRows !== null) {
    note(`Encrypting ${manyRows} rows.`);
    await fillSeed(client, manyRows, old);
  }
  return {
    rows,
    rounds,
    rates: {
      sweep: of((round) => round.sweep),
      moving: of((round) => round.moving),
      rowByRow: of((round) => round.rowByRow),
      batched: of((round) => round.batched),
      writesAlone: of((round) => round.writesAlone),
      ciphersAlone: of((round) => round.ciphersAlone),
    },
    ratios: {
      rowByRow: of((round) => round.sweep / round.rowByRow),
      batched: of((round) => round.sweep / round.batched),
      writesAlone: of((round) => round.sweep / round.writesAlone),
      ciphersAlone: of((round) => round.sweep / round.ciphersAlone),
      moving: of((round) => round.sweep / round.moving),
    },
    memory:
      manyRows === null || few === null
        ? null
        : { rows, bytes: few, manyRows, manyBytes: await memory(manyRows) },
  };
}

type Round = Reencryption['rates'];

/** What the process at most held in memory. The keys go in by stdin: arguments and environments are for all to see. */
async function peakOf(input: string): Promise<number> {
  const file = fileURLToPath(new URL('./reencrypt-child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  const [printed, complaint, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((done) => child.on('close', done)),
  ]);
  if (code !== 0) throw new Error(`a sweep in a process of its own failed: ${complaint}`);
  return Number(printed);
}
