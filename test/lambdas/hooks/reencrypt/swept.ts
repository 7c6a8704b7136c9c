/** A table under an old key on a real PostgreSQL, and the sweep over it. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { server as postgres } from '../../../../lambdas/adapters/reencrypt/postgres.ts';
import { codec as fernet } from '../../../../lambdas/ciphers/fernet.ts';
import { type KeyRing, keyId, type StoredKey } from '../../../../lambdas/contract/ciphers.ts';
import type { ReencryptPorts, SliceReport } from '../../../../lambdas/contract/reencryption.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { hook } from '../../../../lambdas/hooks/reencrypt/postgres.ts';
import type { Server } from '../../../../lambdas/hooks/sweep/connection.ts';
import { type Postgres, startPostgres } from '../../../../lib/rehearsal/postgres.ts';

export const random = { bytes: (count: number) => randomBytes(count) };
export const clock = { now: () => new Date(), sleep: async () => {} };
export const secret = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:sweeper-AbCdEf';

export const key = (version?: number): StoredKey => {
  const text = new Sensitive(`${randomBytes(32).toString('base64url')}=`);
  return { id: keyId(text), text, ...(version === undefined ? {} : { version }) };
};
export const [oldKey, newKey, strange] = [key(1), key(2), key(9)];
export const ring: KeyRing = { write: newKey, others: [oldKey] };
export const sealing = (one: StoredKey) => fernet.bind({}, { write: one, others: [] }, random, clock);
export const sealed = (text: string, under: StoredKey) => String(sealing(under).seal(Buffer.from(text), {}));
export const opened = (stored: string, under: StoredKey): string | null => {
  const result = sealing(under).open(stored, {});
  return result.is === 'open' ? result.plain.toString() : null;
};

export let server: Postgres;
export let admin: Client;

export async function start(): Promise<void> {
  server = await startPostgres();
  admin = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  await admin.connect();
}

export async function stop(): Promise<void> {
  await admin?.end();
  await server?.stop();
}

export const ports = (extra: Partial<ReencryptPorts> = {}): ReencryptPorts => ({
  clock,
  log: () => {},
  credential: async () => new Sensitive(server.url('postgres')),
  remaining: () => 60_000,
  progress: () => {},
  ...extra,
});

export const column = { table: 'credentials', column: 'sealed', codec: { id: 'fernet' } };
export const declared = (extra: object = {}, of: object = {}) => ({
  kind: 'postgres',
  connection: { secret, member: 'DATABASE_URL' },
  tls: { ca: server.ca ?? '' },
  columns: [{ ...column, ...of }],
  batch: 7,
  ...extra,
});

export function bound(declaration: object, through: Server = postgres) {
  const result = hook.connect({ server: through, random }).bind(declaration);
  if (!result.ok) throw new Error(result.broken.join(' '));
  return result.hook;
}

/** Whether a statement of the sweep writes rows. */
export const isUpdate = (text: string): boolean => text.includes('UPDATE "public"');

export const slice = (extra: object = {}) => ({
  ring,
  cursor: null,
  dryRun: false,
  secretId: secret,
  versionIds: ['version-of-new', 'version-of-old'],
  ...extra,
});

/** Runs slices until it is finished. */
export async function sweepAll(declaration: object, through?: Server, given = ports()): Promise<SliceReport> {
  let cursor: string | null = null;
  for (;;) {
    const report: SliceReport = await bound(declaration, through).run(slice({ cursor }), given);
    if (report.finished) return report;
    cursor = report.cursor;
  }
}

/** Rows under the old key, `row 1`, `row 2`, … */
export async function table(rows: number, type = 'text', keyType = 'bigint'): Promise<void> {
  await admin.query(`CREATE TABLE credentials (id ${keyType} PRIMARY KEY, sealed ${type})`);
  for (let id = 1; id <= rows; id += 1) {
    const text = sealed(`row ${id}`, oldKey);
    await admin.query('INSERT INTO credentials VALUES ($1, $2)', [
      id,
      type === 'bytea' ? Buffer.from(text) : text,
    ]);
  }
}

export async function contents(): Promise<Map<string, string>> {
  const { rows } = await admin.query('SELECT id::text, sealed FROM credentials');
  return new Map(rows.map((row) => [row.id, String(row.sealed)]));
}

export const plain = (stored: string) => opened(stored, newKey);
