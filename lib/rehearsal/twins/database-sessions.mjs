/**
 * Sessions of a twin at its PostgreSQL: a pool whose connections are opened at start and stay open, and new sessions when
 * somebody asks for one. Routes and reports are the stand-in's own: a client drives the load, and hears of each statement
 * that failed on an open session and of each login that was refused, apart from each other.
 *
 * HELD_SESSIONS is the stand-in's own variable: how many connections the pool keeps; 0: the twin opens none.
 */
import { readFileSync } from 'node:fs';
import { integer, settingsOrExit } from './variables.mjs';

/** Milliseconds for a login, and for a statement. */
const deadline = 8_000;

/** Milliseconds between two tries to open the pool at start, and the number of tries. */
const startPause = 250;
const startTries = 20;

/**
 * @typedef {import('pg').ClientConfig} Connection
 *
 * @typedef {object} Found since the last report
 * @property {number} statements on open sessions
 * @property {number} failed of these
 * @property {number} logins new sessions that were asked for
 * @property {number[]} refusedAt `Date.now()` of each that was not let in
 * @property {Set<string>} codes what the server said of failures
 */

/** @returns {Found} */
const nothing = () => ({ statements: 0, failed: 0, logins: 0, refusedAt: [], codes: new Set() });

/**
 * Resolves once the pool is open; ends the process when the database does not let it in.
 *
 * @param {string} name what the sessions call themselves
 * @param {Connection} connection
 * @returns {Promise<Readonly<Record<string, import('./http-server.mjs').Handler>>>} routes
 */
export async function databaseSessions(name, connection) {
  const { held, authority } = settingsOrExit(name, (environment) => ({
    held: integer(environment, 'HELD_SESSIONS', { preset: 0, least: 0, most: 50 }),
    authority: environment.PGSSLROOTCERT ?? '',
  }));
  if (held === 0) return {};
  const { default: pg } = await import('pg');
  const options = {
    ...connection,
    ...verifiedBy(authority),
    application_name: name,
    connectionTimeoutMillis: deadline,
    statement_timeout: deadline,
  };
  let found = nothing();
  // Never idle for too long, never too old: what is open stays open for as long as the process lives.
  const pool = new pg.Pool({ ...options, max: held, min: held, idleTimeoutMillis: 0 });
  pool.on('error', (error) => {
    found.statements += 1;
    failed(error);
  });
  await opened();

  return {
    'POST /sessions/held': async () => {
      const open = await pool.connect().catch(refused);
      if (open === null) return report();
      let broken;
      try {
        found.statements += 2;
        const { rows } = await open.query('INSERT INTO audit_log (what) VALUES ($1) RETURNING id', [name]);
        const read = await open.query('SELECT what FROM audit_log WHERE id = $1', [rows[0].id]);
        if (read.rows[0]?.what !== name) throw new Error('another row');
      } catch (error) {
        broken = failed(error);
      }
      open.release(broken);
      return report();
    },

    'POST /sessions/new': async () => {
      found.logins += 1;
      const client = new pg.Client(options);
      client.on('error', () => {});
      const error = await client.connect().then(
        () => null,
        (/** @type {unknown} */ caught) => caught,
      );
      if (error === null) {
        found.statements += 1;
        await client.query('SELECT count(*) FROM audit_log').catch(failed);
      } else refused(error);
      await client.end().catch(() => {});
      return report();
    },
  };

  /** All of the pool's connections at once. Refused ones are tried again, as a platform that starts does. */
  async function opened() {
    for (let left = startTries; ; left -= 1) {
      found.logins += held;
      const tried = await Promise.all(Array.from({ length: held }, () => pool.connect().catch(refused)));
      for (const client of tried) client?.release();
      if (tried.every((client) => client !== null)) return;
      if (left <= 1) {
        process.stderr.write(`${name}: the database does not let it in (${[...found.codes].join(', ')}).\n`);
        process.exit(1);
      }
      await new Promise((resolve) => setTimeout(resolve, startPause));
    }
  }

  /** @param {unknown} error */
  function refused(error) {
    found.refusedAt.push(Date.now());
    found.codes.add(codeOf(error));
    return null;
  }

  /** @param {unknown} error */
  function failed(error) {
    found.failed += 1;
    found.codes.add(codeOf(error));
    return true;
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
 * Where the connection's own form has no place for an authority.
 *
 * @param {string} authority a file
 */
function verifiedBy(authority) {
  return authority === '' ? {} : { ssl: { ca: readFileSync(authority, 'utf8'), minVersion: 'TLSv1.2' } };
}

/**
 * A code such as 28P01 or ECONNRESET: the server's words may quote a statement.
 *
 * @param {unknown} error
 */
function codeOf(error) {
  const code = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : 'no code';
}
