/** The table that every way of re-encrypting is measured on: Fernet tokens of about 300 characters under an old key. */
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { codec as fernet, generateFernetKey } from '../../lambdas/ciphers/fernet.ts';
import { type Cipher, type KeyRing, keyId, type StoredKey } from '../../lambdas/contract/ciphers.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';

/** Of one page and one UPDATE: the knee that was measured (performance.md, section 4b). */
export const batch = 1_000;

/** A token of 292 characters. */
const plainBytes = 155;

export const random = { bytes: (count: number) => randomBytes(count) };
export const clock = {
  now: () => new Date(),
  sleep: (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds)),
};

export function cipherOf(ring: KeyRing): Cipher {
  return fernet.bind({}, ring, random, clock);
}

export function newKey(): StoredKey {
  return storedKey(generateFernetKey(random).reveal());
}

export function storedKey(text: string): StoredKey {
  const value = new Sensitive(text);
  return { id: keyId(value), text: value };
}

/** The tokens that every run begins with, in the table `seed`. */
export async function fillSeed(client: pg.Client, rows: number, old: StoredKey): Promise<void> {
  const cipher = cipherOf({ write: old, others: [] });
  await client.query('DROP TABLE IF EXISTS seed');
  await client.query('CREATE UNLOGGED TABLE seed (id bigint, sealed text)');
  for (let from = 1; from <= rows; from += batch) {
    const ids = Array.from({ length: Math.min(batch, rows - from + 1) }, (_, index) => from + index);
    const tokens = ids.map((id) => cipher.seal(Buffer.from(String(id).padEnd(plainBytes, 'x')), {}));
    await client.query('INSERT INTO seed SELECT * FROM unnest($1::bigint[], $2::text[])', [ids, tokens]);
  }
}

/** A fresh table `secrets` with the seed's rows, or the first of them: no run works on another's dead rows. */
export async function freshTable(client: pg.Client, rows: number): Promise<void> {
  await client.query('DROP TABLE IF EXISTS secrets');
  await client.query(`CREATE TABLE secrets AS SELECT * FROM seed ORDER BY id LIMIT ${rows}`);
  await client.query('ALTER TABLE secrets ADD PRIMARY KEY (id)');
  await client.query('VACUUM (ANALYZE) secrets');
  await client.query('CHECKPOINT');
}

/** @throws Error when a way was quick because it did not do the work. */
export async function demandMoved(client: pg.Client, rows: number, write: StoredKey): Promise<void> {
  const cipher = cipherOf({ write, others: [] });
  const sample = await client.query(`SELECT id, sealed FROM secrets ORDER BY random() LIMIT 500`);
  const { rows: count } = await client.query('SELECT count(*)::int AS rows FROM secrets');
  const wrong = sample.rows.find(({ id, sealed }) => {
    const opened = cipher.open(sealed, {});
    return opened.is !== 'open' || opened.plain.toString().replace(/x+$/, '') !== String(id);
  });
  if (wrong !== undefined || count[0]?.rows !== rows)
    throw new Error('a row was not re-encrypted: there is nothing to compare.');
}
