/** oCore's stand-in on a real database: SSH credentials under one key, and how a lost write is seen. */
import { describe, expect, it } from 'vitest';
import { codecOf } from '../../lambdas/ciphers/registry.ts';
import { ocore } from '../../lib/rehearsal/twins/ocore.ts';
import { digestOf, WriteRecord } from '../../lib/rehearsal/twins/write-record.ts';
import { ringOf, seeded } from '../lambdas/ciphers/rings.ts';
import { type Platform, storedPlatforms } from './stored-world.ts';
import { ask } from './twin-process.ts';

const platform = storedPlatforms();
const second = 'the-second-key-of-at-least-thirty-two-characters';
const person = { email: 'user@example.com', password: 'any' };

async function asUser(at: Platform, route: string, body?: object) {
  const url = at.urls.backend ?? '';
  const { body: tokens } = await ask(url, 'POST /api/auth/login', { body: person });
  return ask(url, route, { bearer: String(tokens.accessToken), ...(body === undefined ? {} : { body }) });
}

const read = (at: Platform, row: number) => asUser(at, `GET /api/ssh/credentials/credential-${row}`);

describe('the SSH credentials of ocore', () => {
  it('are read and written without a failure, beside all its other traffic', async () => {
    const at = await platform(ocore);
    await at.start('backend');
    const tally = await at.traffic(
      [...ocore.behaviours, ...at.stored.behaviours],
      (one) => one.counts('SSH_ENCRYPTION_KEY').total > 20 && at.stored.acknowledged() > 5,
    );
    expect(tally.failures()).toEqual([]);
    expect(tally.counts()).toMatchObject({ failed: 0, refused: 0, degraded: 0 });
    expect(await at.stored.lost(at.urls)).toEqual([]);
  });

  it('are unreadable under another key, and readable again under their own', async () => {
    const at = await platform(ocore);
    await at.start('backend', { SSH_ENCRYPTION_KEY: second });
    expect((await read(at, 2)).status).toBe(500);
    const tally = await at.traffic(at.stored.behaviours, (one) => one.counts().failed > 0);
    expect(tally.failures()[0]).toMatch(/GET \/api\/ssh\/credentials\/credential-\d+ answered 500/);
    await at.start('backend');
    // No writer touches the second row.
    expect((await read(at, 2)).status).toBe(200);
  });

  it('need somebody who is logged in, and a key', async () => {
    const at = await platform(ocore);
    await at.start('backend', { SSH_ENCRYPTION_KEY: '' });
    const path = '/api/ssh/credentials/credential-2';
    expect((await ask(at.urls.backend ?? '', `GET ${path}`)).status).toBe(401);
    expect((await asUser(at, `GET ${path}`)).status).toBe(503);
    expect((await asUser(at, `POST ${path}`, { value: 'kept in the clear' })).status).toBe(503);
    // In development the key comes from the other secret, so that changes with it.
    const development = { SSH_ENCRYPTION_KEY: '', ENVIRONMENT: 'development' };
    await at.start('backend', development);
    expect((await asUser(at, `POST ${path}`, { value: 'for development' })).status).toBe(200);
    expect((await read(at, 2)).body.digest).toBe(digestOf('for development'));
    await at.start('backend', { ...development, JWT_SECRET: second });
    expect((await read(at, 2)).status).toBe(500);
  });

  it('are laid out as the codec reads and writes them under the options that a deployment would declare', async () => {
    const at = await platform(ocore);
    const parsed = codecOf('aes-256-gcm')?.parse({
      layout: [{ encoding: 'raw', fields: ['nonce', 'ciphertext', 'tag'] }],
      key: { kind: 'hkdf', hash: 'sha256', salt: 'ocore', info: 'ssh-credentials' },
    });
    if (!parsed?.ok) throw new Error(parsed?.broken.join(' '));
    const ring = ringOf(second, at.initial.SSH_ENCRYPTION_KEY ?? '');
    const cipher = parsed.hook.bind(ring, seeded(2), { now: () => new Date() });
    const [row] = await at.sql(`SELECT credential FROM ssh_credentials WHERE id = 'credential-2'`);
    const moved = cipher.rewrite(row?.credential as Buffer, {});
    if (moved.is !== 'rewritten') throw new Error(`the codec says ${moved.is}`);
    await at.sql(`UPDATE ssh_credentials SET credential = $1 WHERE id = 'credential-2'`, [moved.stored]);
    await at.start('backend', { SSH_ENCRYPTION_KEY: second });
    expect((await read(at, 2)).body.digest).toBe(
      digestOf('what was stored as credential-2 before the platform started'),
    );
    expect((await read(at, 3)).status).toBe(500);
  });

  it('are known to be lost when a row holds again what it held before an acknowledged write', async () => {
    const at = await platform(ocore);
    await at.start('backend');
    const before = await at.sql('SELECT id, credential FROM ssh_credentials');
    await at.traffic(at.stored.behaviours, () => at.stored.acknowledged() > 5);
    expect(await at.stored.lost(at.urls)).toEqual([]);
    for (const { id, credential } of before) {
      await at.sql('UPDATE ssh_credentials SET credential = $2 WHERE id = $1', [id, credential]);
    }
    const lost = await at.stored.lost(at.urls);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost[0]).toMatch(/^credential-\d+: the platform gives back another value than the one/);
    await at.start('backend', { SSH_ENCRYPTION_KEY: second });
    expect((await at.stored.lost(at.urls))[0]).toMatch(/: the platform cannot read what it acknowledged\.$/);
  });
});

describe('a record of writes', () => {
  it('takes the last acknowledged value, or one that was sent since and may have arrived', () => {
    const record = new WriteRecord();
    const explained = (value: string | null) =>
      record.explains('row', value === null ? null : digestOf(value));
    expect([explained('before'), explained(null)]).toEqual([true, true]);
    record.sending('row', 'first');
    record.acknowledged('row', 'first');
    expect([explained('first'), explained('before'), explained(null)]).toEqual([true, false, false]);
    record.sending('row', 'second');
    expect([explained('first'), explained('second'), explained('third')]).toEqual([true, true, false]);
    record.acknowledged('row', 'second');
    expect([explained('first'), explained('second')]).toEqual([false, true]);
    expect(record.count).toBe(2);
  });

  it('says which rows were lost, and counts no row that nothing was promised of', async () => {
    const record = new WriteRecord();
    for (const row of ['kept', 'changed', 'gone']) {
      record.sending(row, 'value');
      record.acknowledged(row, 'value');
    }
    record.sending('never acknowledged', 'value');
    const now: Record<string, string | null> = { kept: 'value', changed: 'older', gone: null };
    const held = async (row: string) => (now[row] == null ? null : digestOf(now[row]));
    expect(await record.lost(held)).toEqual([
      'changed: the platform gives back another value than the one it acknowledged last.',
      'gone: the platform cannot read what it acknowledged.',
    ]);
  });

  it('explains a read by what was there when it began, and by what was written while it went on', async () => {
    const record = new WriteRecord();
    const written = (value: string) => {
      record.sending('row', value);
      record.acknowledged('row', value);
    };
    const readsWhileTwoAreWritten = (value: string) =>
      record.lost(async () => {
        written('third');
        written('fourth');
        return digestOf(value);
      });
    for (const value of ['second', 'third', 'fourth']) {
      written('first');
      written('second');
      expect(await readsWhileTwoAreWritten(value)).toEqual([]);
    }
    written('first');
    written('second');
    expect(await readsWhileTwoAreWritten('first')).toHaveLength(1);
    // The next read is none of those that were under way.
    expect(await record.lost(async () => digestOf('third'))).toHaveLength(1);
    expect(await record.lost(async () => digestOf('fourth'))).toEqual([]);
  });
});
