/**
 * Sessions of a twin at its Redis: a pool that is opened at start and stays open, and new sessions when somebody asks for
 * one. Nothing reconnects by itself, so that a session that breaks is seen. Routes and reports are those of the sessions
 * at a database.
 *
 * HELD_REDIS_SESSIONS and REDIS_CA_FILE are the stand-in's own variables: how many sessions the pool keeps (0: the twin
 * opens none), and the file with the authority that vouches for the server.
 */
import { readFileSync } from 'node:fs';
import { integer, settingsOrExit } from './variables.mjs';

/** Milliseconds for a login, and for a command. */
const deadline = 8_000;

/** Milliseconds between two tries to open the pool at start, and the number of tries. */
const startPause = 250;
const startTries = 20;

/** Seconds that an entry of the cache lives. */
const lifetime = 60;

/** @typedef {import('ioredis').Redis} Open */

/** @returns {import('./database-sessions.mjs').Found} */
const nothing = () => ({ statements: 0, failed: 0, logins: 0, refusedAt: [], codes: new Set() });

/**
 * Resolves once the pool is open; ends the process when the server does not let it in.
 *
 * @param {string} name what the sessions call themselves
 * @param {string} url `rediss://user:password@host:port`
 * @returns {Promise<Readonly<Record<string, import('./http-server.mjs').Handler>>>} routes
 */
export async function redisSessions(name, url) {
  const { held, authority } = settingsOrExit(name, (environment) => ({
    held: integer(environment, 'HELD_REDIS_SESSIONS', { preset: 0, least: 0, most: 50 }),
    authority: environment.REDIS_CA_FILE ?? '',
  }));
  if (held === 0) return {};
  const { Redis } = await import('ioredis');
  /** @type {import('ioredis').RedisOptions} */
  const options = {
    ...(authority === '' ? {} : { tls: { ca: readFileSync(authority, 'utf8'), minVersion: 'TLSv1.2' } }),
    connectionName: name,
    connectTimeout: deadline,
    commandTimeout: deadline,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  };
  let found = nothing();
  let written = 0;
  /** @type {Open[]} those that nobody uses now */
  const idle = [];
  await opened();

  return {
    'POST /redis/held': async () => {
      const open = idle.shift() ?? (await loggedIn());
      if (open === null) return report();
      if (await works(open)) idle.push(open);
      else open.disconnect();
      return report();
    },

    'POST /redis/new': async () => {
      const open = await loggedIn();
      if (open !== null) await works(open);
      open?.disconnect();
      return report();
    },
  };

  /** All of the pool's sessions at once. Refused ones are tried again, as a platform that starts does. */
  async function opened() {
    for (let left = startTries; ; left -= 1) {
      const missing = held - idle.length;
      const tried = await Promise.all(Array.from({ length: missing }, loggedIn));
      idle.push(...tried.filter((open) => open !== null));
      if (idle.length === held) return;
      if (left <= 1) {
        process.stderr.write(`${name}: the Redis does not let it in (${[...found.codes].join(', ')}).\n`);
        process.exit(1);
      }
      await new Promise((resolve) => setTimeout(resolve, startPause));
    }
  }

  /** @returns {Promise<Open | null>} null: it was not let in */
  async function loggedIn() {
    found.logins += 1;
    const open = new Redis(url, options);
    /** @type {unknown} what the server said: the driver tells whoever waits for a login of a closed connection only */
    let said = null;
    open.on('error', (error) => {
      said ??= error;
    });
    open.on('close', () => {
      const place = idle.indexOf(open);
      if (place === -1) return;
      idle.splice(place, 1);
      found.statements += 1;
      failed(said);
    });
    try {
      await open.connect();
      return open;
    } catch (error) {
      open.disconnect();
      found.refusedAt.push(Date.now());
      found.codes.add(codeOf(said ?? error));
      return null;
    }
  }

  /**
   * An entry of the cache is written and read back.
   *
   * @param {Open} open
   */
  async function works(open) {
    written += 1;
    const text = String(written);
    const key = `cache:${name}:${process.pid}:${text}`;
    try {
      found.statements += 1;
      await open.set(key, text, 'EX', lifetime);
      found.statements += 1;
      if ((await open.get(key)) !== text) throw new Error('another entry');
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  }

  /** @param {unknown} error */
  function failed(error) {
    found.failed += 1;
    found.codes.add(codeOf(error));
  }

  /** @returns {import('./http-server.mjs').Reply} what was found since the last one */
  function report() {
    const { refusedAt, codes, ...counts } = found;
    found = nothing();
    const now = Date.now();
    return {
      status: 200,
      body: { ...counts, refusedAgo: refusedAt.map((at) => now - at), codes: [...codes] },
    };
  }
}

/**
 * A code such as WRONGPASS or ECONNRESET: the server's words may quote a command.
 *
 * @param {unknown} error
 */
function codeOf(error) {
  if (!(error instanceof Error)) return 'no code';
  const code = Reflect.get(error, 'code') ?? /^[A-Z]{2,}(?= )/.exec(error.message)?.[0];
  return typeof code === 'string' ? code : 'no code';
}
