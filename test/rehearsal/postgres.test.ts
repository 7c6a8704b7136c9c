/** The rehearsal's own PostgreSQL: what tests and twins rely on. */
import { spawnSync } from 'node:child_process';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from '../../lib/rehearsal/certificates.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all' } });
  await server.createDatabase('shop');
}, 60_000);
afterAll(() => server.stop());

const connected = async (ssl: object, password = server.password) => {
  const { host, port, user } = server;
  const client = new Client({ host, port, user, password, database: 'shop', ssl });
  await client.connect();
  return client;
};

test('a program that has started a server keeps its own exit status', () => {
  const file = JSON.stringify(new URL('../../lib/rehearsal/postgres.ts', import.meta.url).href);
  const program = `
    import { startPostgres } from ${file};
    const server = await startPostgres();
    await server.stop();
    process.exitCode = 3;`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
});

describe('the PostgreSQL of a rehearsal', () => {
  test('is reached over TLS that is verified, and logs its statements', async () => {
    const client = await connected({ ca: server.ca ?? '', minVersion: 'TLSv1.2' });
    const { rows } = await client.query('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    await client.query("SELECT 'seen in the log'");
    await client.end();
    expect(rows).toEqual([{ ssl: true, version: 'TLSv1.3' }]);
    expect(await server.log()).toContain('seen in the log');
  });

  test('is not trusted by another authority, and does not take another password', async () => {
    const { ca } = await makeAuthority(new Date());
    await expect(connected({ ca })).rejects.toThrow(/certificate|signature/);
    await expect(connected({ ca: server.ca ?? '' }, 'wrong')).rejects.toMatchObject({ code: '28P01' });
  });
});
