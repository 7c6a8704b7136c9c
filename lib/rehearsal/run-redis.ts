/** The Redis of a run, for platforms whose login at it rotates. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectRedis, type RedisClient } from '../../lambdas/adapters/redis/connect.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { startRedis } from './redis.ts';
import type { RunServer } from './run-server.ts';
import { commandMark, redisLogIn } from './server-log.ts';
import type { DatabaseLogin } from './twins/twin.ts';

/** The run's own user: the platform's passwords come and go. */
const own = 'rehearsal';

/** Every command is kept (`SLOWLOG`), for more than a run's worth of them; `AUTH` and the words of `ACL SETUSER` are not. */
const keepsCommands = ['slowlog-log-slower-than 0', 'slowlog-max-len 1000000'];

export async function startRunRedis(): Promise<RunServer> {
  const redis = await startRedis({ lines: keepsCommands });
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-run-'));
  const { host, port } = redis;
  const ca = redis.ca ?? '';
  const authority = join(directory, 'ca.pem');
  const stop = async () => {
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  };
  const connected = ({ user, password }: DatabaseLogin, database = '0') =>
    connectRedis({
      engine: 'redis',
      host,
      port,
      user,
      password: new Sensitive(password),
      database,
      tls: { authorities: { pem: ca } },
    });
  const administrator = { user: own, password: randomBytes(24).toString('base64url') };
  try {
    await writeFile(authority, ca);
    const first = await connected({ user: 'default', password: redis.password });
    await setUser(first, administrator).finally(() => first.end());
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    ca,
    server: { host, port, authority },
    async prepareLogin(wanted) {
      const client = await connected(administrator);
      try {
        await setUser(client, wanted.login);
        if (wanted.administrator !== null) await setUser(client, wanted.administrator);
      } finally {
        await client.end();
      }
    },
    async letsIn(login, database) {
      try {
        const client = await connected(login, database);
        await client.end();
        return true;
      } catch (error) {
        if (error instanceof Error && Reflect.get(error, 'code') === 'CredentialRejected') return false;
        throw error;
      }
    },
    async hold(login, database, name) {
      const client = await connected(login, database);
      await client.send('CLIENT', 'SETNAME', name);
      return {
        isOpen: () =>
          client.send('PING').then(
            () => true,
            () => false,
          ),
        end: () => client.end(),
      };
    },
    async log() {
      const client = await connected(administrator);
      const commands = await commandsOf(client).finally(() => client.end());
      return [await redis.stored(), redis.log(), ...commands].join('\n');
    },
    counted: redisLogIn,
    stop,
  };
}

/** With all rights, and by a hash: what the server keeps and logs is searched for passwords. */
async function setUser(client: RedisClient, { user, password }: DatabaseLogin): Promise<void> {
  const hash = createHash('sha256').update(password).digest('hex');
  await client.send('ACL', 'SETUSER', user, 'on', 'resetpass', `#${hash}`, '~*', '&*', '+@all');
  await client.send('ACL', 'SAVE');
}

/** A line for each command that the server has run. */
async function commandsOf(client: RedisClient): Promise<string[]> {
  const entries = (await client.send('SLOWLOG', 'GET', '-1')) as readonly (readonly unknown[])[];
  return entries.map(([, , , words]) => `${commandMark}${Array.isArray(words) ? words.join(' ') : ''}`);
}
