/** Four ways to bring a column under a new key: ours, and what it is measured against. */
import type pg from 'pg';
import { server } from '../../lambdas/adapters/reencrypt/postgres.ts';
import type { Cipher, KeyRing } from '../../lambdas/contract/ciphers.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { hook } from '../../lambdas/hooks/reencrypt/postgres.ts';
import type { Server } from '../../lambdas/hooks/sweep/connection.ts';
import { batch, cipherOf, clock, random } from './reencrypt-table.ts';

export interface Sweeping {
  readonly dsn: string;
  readonly ca: string;
  readonly ring: KeyRing;
}

export interface Seconds {
  /** From its start until the sweep said that it was finished: with the pass that found nothing. */
  readonly whole: number;
  /** Until the last row was written. */
  readonly moving: number;
}

const secret = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:bench-AbCdEf';

/** The built-in sweep, as a deployment declares it. */
export async function sweep({ dsn, ca, ring }: Sweeping): Promise<Seconds> {
  const began = performance.now();
  let written = began;
  const watched: Server = {
    async connect(...asked) {
      const connection = await server.connect(...asked);
      return {
        end: connection.end,
        async query(...statement) {
          const answer = await connection.query(...statement);
          if (statement[0].includes('UPDATE "public"')) written = performance.now();
          return answer;
        },
      };
    },
  };
  const bound = hook.connect({ server: watched, random }).bind({
    kind: 'postgres',
    connection: { secret, member: 'DSN' },
    tls: { ca },
    columns: [{ table: 'secrets', column: 'sealed', codec: { id: 'fernet' } }],
    batch,
  });
  if (!bound.ok) throw new Error(bound.broken.join(' '));
  const report = await bound.hook.run(
    { ring, cursor: null, dryRun: false, secretId: secret, versionIds: [] },
    {
      clock,
      log: () => {},
      credential: async () => new Sensitive(dsn),
      remaining: () => Number.POSITIVE_INFINITY,
      progress: () => {},
    },
  );
  if (!report.finished || report.targets.some(({ left }) => left !== 0))
    throw new Error('the sweep left rows behind.');
  return { moving: (written - began) / 1_000, whole: (performance.now() - began) / 1_000 };
}

/** What a script does: one row after the other, each committed. @returns seconds */
export async function rowByRow(client: pg.Client, ring: KeyRing): Promise<number> {
  const began = performance.now();
  const cipher = cipherOf(ring);
  const { rows } = await client.query('SELECT id, sealed FROM secrets');
  for (const { id, sealed } of rows) {
    await client.query('BEGIN');
    await client.query({
      name: 'row',
      text: 'UPDATE secrets SET sealed = $2 WHERE id = $1',
      values: [id, rewritten(cipher, sealed)],
    });
    await client.query('COMMIT');
  }
  return (performance.now() - began) / 1_000;
}

const pageUpdate = {
  name: 'batch',
  text: 'UPDATE secrets AS t SET sealed = v.sealed FROM unnest($1::bigint[], $2::text[]) AS v(id, sealed) WHERE t.id = v.id',
};

/** Pages and batches, one step after the other on one connection. @returns seconds */
export async function batched(client: pg.Client, ring: KeyRing): Promise<number> {
  const began = performance.now();
  const cipher = cipherOf(ring);
  let after = '0';
  for (;;) {
    const { rows } = await client.query({
      name: 'read',
      text: 'SELECT id, sealed FROM secrets WHERE id > $1 ORDER BY id LIMIT $2',
      values: [after, batch],
    });
    if (rows.length === 0) break;
    const ids = rows.map(({ id }) => id);
    const tokens = rows.map(({ sealed }) => rewritten(cipher, sealed));
    await client.query({ ...pageUpdate, values: [ids, tokens] });
    after = ids.at(-1);
  }
  return (performance.now() - began) / 1_000;
}

const swappingUpdate = {
  name: 'swap',
  text: 'UPDATE secrets AS t SET sealed = v.sealed FROM unnest($1::bigint[], $2::xid[], $3::text[]) AS v(id, xmin, sealed) WHERE t.id = v.id AND t.xmin = v.xmin',
};

/**
 * The ceiling of the issue: the writes alone, of rows that were read and re-encrypted before the clock starts. One
 * statement after the other on one connection, over the same table, with rows of the same size, the same log, the same
 * commits and the same compare-and-swap as the sweep's, and without its reading, its ciphers and its last pass.
 * @returns seconds
 */
export async function writesAlone(client: pg.Client, ring: KeyRing): Promise<number> {
  const cipher = cipherOf(ring);
  const { rows } = await client.query('SELECT id, xmin::text, sealed FROM secrets ORDER BY id');
  const pages = Array.from({ length: Math.ceil(rows.length / batch) }, (_, page) => {
    const some = rows.slice(page * batch, (page + 1) * batch);
    return [
      some.map(({ id }) => id),
      some.map(({ xmin }) => xmin),
      some.map(({ sealed }) => rewritten(cipher, sealed)),
    ];
  });
  const began = performance.now();
  for (const values of pages) await client.query({ ...swappingUpdate, values });
  return (performance.now() - began) / 1_000;
}

/** The ciphers alone, on one thread. @returns seconds */
export async function ciphersAlone(client: pg.Client, ring: KeyRing): Promise<number> {
  const cipher = cipherOf(ring);
  const { rows } = await client.query('SELECT sealed FROM secrets');
  const began = performance.now();
  for (const { sealed } of rows) rewritten(cipher, sealed);
  return (performance.now() - began) / 1_000;
}

function rewritten(cipher: Cipher, sealed: string): string {
  const result = cipher.rewrite(sealed, {});
  if (result.is !== 'rewritten') throw new Error(`a row of the bench is ${result.is}.`);
  return String(result.stored);
}
