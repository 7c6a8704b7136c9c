/** Exo's stand-in on a real database: an envelope, whose root key wraps the key of the columns. */
import { describe, expect, it } from 'vitest';
import { codecOf } from '../../lambdas/ciphers/registry.ts';
import { exo } from '../../lib/rehearsal/twins/exo.ts';
import { digestOf } from '../../lib/rehearsal/twins/write-record.ts';
import { ringOf, seeded } from '../lambdas/ciphers/rings.ts';
import { type Platform, storedPlatforms } from './stored-world.ts';
import { ask } from './twin-process.ts';

const platform = storedPlatforms();
const second = 'another-root-key-with-32-bytes-!';
const options = {
  layout: [{ encoding: 'raw', fields: ['nonce', 'ciphertext', 'tag'] }],
  key: { kind: 'raw' },
};

async function read(at: Platform, row: number) {
  const url = at.urls.backend ?? '';
  const { body } = await ask(url, 'POST /api/v1/login', {
    body: { email: 'user@example.com', password: 'any' },
  });
  return ask(url, `GET /api/v1/integrations/credential-${row}/credential`, { bearer: String(body.token) });
}

const atStart = (row: number) => digestOf(`what was stored as credential-${row} before the platform started`);

describe('the integration credentials of exo', () => {
  it('are read and written without a failure, and no acknowledged write is lost', async () => {
    const at = await platform(exo);
    await at.start('backend');
    const tally = await at.traffic(
      at.stored.behaviours,
      (one) => one.counts('EXO_ENCRYPTION_KEY').total > 20 && at.stored.acknowledged() > 5,
    );
    expect(tally.failures()).toEqual([]);
    expect(await at.stored.lost(at.urls)).toEqual([]);
  });

  it('need the root key at start: with another one the process ends at once, and says so', async () => {
    const at = await platform(exo);
    await expect(at.start('backend', { EXO_ENCRYPTION_KEY: second })).rejects.toThrow(
      'exo: EXO_ENCRYPTION_KEY must unwrap the key-encryption key; it does not.',
    );
    await at.start('backend');
    expect((await read(at, 2)).body.digest).toBe(atStart(2));
  });

  it('are read under a new root key once Keyturn’s codec has wrapped their key anew; no column is touched', async () => {
    const at = await platform(exo);
    const columns = await at.sql('SELECT id, credential FROM integration_credentials ORDER BY id');
    const parsed = codecOf('aes-256-gcm')?.parse(options);
    if (!parsed?.ok) throw new Error('the codec refuses the layout');
    const ring = ringOf(second, String(at.initial.EXO_ENCRYPTION_KEY));
    const cipher = parsed.hook.bind(ring, seeded(1), { now: () => new Date(0) });
    const [row] = await at.sql('SELECT wrapped_key FROM encryption_keyring');
    const moved = cipher.rewrite(row?.wrapped_key as Buffer, {});
    if (moved.is !== 'rewritten') throw new Error(`the codec says ${moved.is}`);
    await at.sql('UPDATE encryption_keyring SET wrapped_key = $1', [moved.stored]);
    await at.start('backend', { EXO_ENCRYPTION_KEY: second });
    expect((await read(at, 2)).body.digest).toBe(atStart(2));
    expect(await at.sql('SELECT id, credential FROM integration_credentials ORDER BY id')).toEqual(columns);
    await expect(at.start('backend')).rejects.toThrow('must unwrap the key-encryption key');
  });
});
