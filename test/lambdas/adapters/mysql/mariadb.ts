/** A real MariaDB for a test: its own data, its own port, TLS by an authority of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { makeAuthority } from '../../../../lib/rehearsal/certificates.ts';
import { freePort } from '../../../../lib/rehearsal/endpoint/free-port.ts';

const places = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
const found = (program: string) =>
  [...(process.env.PATH ?? '').split(':'), ...places]
    .map((place) => path.join(place, program))
    .find((file) => existsSync(file));
const server = found('mariadbd');
const installer = found('mariadb-install-db');

/** Whether the server is there; where it is not, a test is not run, and says so by its name. */
export const hasMariadb = server !== undefined && installer !== undefined;

/** `what`, or what is missing for it. */
export const named = (what: string) => (hasMariadb ? what : `${what} (not run: no mariadbd on this machine)`);

export interface Mariadb {
  readonly port: number;
  readonly socketPath: string;
  readonly directory: string;
  /** PEM text that verifies the server; empty without TLS. */
  readonly ca: string;
  /** As root, by the Unix socket. */
  root(database?: string): Promise<Connection>;
  /** All statements so far, as the server logs them in its general log. */
  log(): Promise<string>;
  restart(...flags: string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Another process may take a free port between its discovery and the server's start. */
const tries = 3;

export async function startMariadb(options: { tls?: boolean; flags?: string[] } = {}): Promise<Mariadb> {
  for (let left = tries; ; left -= 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

async function startOnce({ tls = true, flags = [] }: { tls?: boolean; flags?: string[] }): Promise<Mariadb> {
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-mariadb-'));
  const data = path.join(directory, 'data');
  await chmod(directory, 0o755);
  await mkdir(data);
  const asRoot = userInfo().uid === 0;
  const account = asRoot && spawnSync('id', ['mysql']).status === 0 ? 'mysql' : userInfo().username;
  const made = spawnSync(
    installer ?? '',
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--user=${account}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
    ],
    { encoding: 'utf8' },
  );
  const remove = () => rm(directory, { recursive: true, force: true });
  if (made.status !== 0) {
    await remove();
    throw new Error(`MariaDB made no data: ${made.stderr}`);
  }
  const ca = tls ? await writeCertificate(directory, data) : '';
  const socketPath = path.join(data, 's');
  const port = await freePort();
  const log = path.join(data, 'general.log');
  const start = (...more: string[]) =>
    started([
      '--no-defaults',
      `--datadir=${data}`,
      `--user=${account}`,
      `--socket=${socketPath}`,
      `--port=${port}`,
      `--pid-file=${path.join(data, 'pid')}`,
      '--bind-address=127.0.0.1',
      '--innodb-buffer-pool-size=8M',
      '--innodb-flush-log-at-trx-commit=0',
      '--general-log=ON',
      `--general-log-file=${log}`,
      ...(tls ? [`--ssl-cert=${directory}/server.crt`, `--ssl-key=${directory}/server.key`] : []),
      ...flags,
      ...more,
    ]);
  let child: ChildProcess;
  try {
    child = await start();
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    port,
    socketPath,
    directory,
    ca,
    root: (database) =>
      createConnection({
        socketPath,
        user: 'root',
        multipleStatements: true,
        ...(database === undefined ? {} : { database }),
      }),
    log: () => readFile(log, 'utf8'),
    async restart(...more) {
      await ended(child);
      child = await start(...more);
    },
    async stop() {
      await ended(child);
      await remove();
    },
  };
}

export async function rowsOf(client: Connection, sql: string): Promise<object[]> {
  const [rows] = await client.query<RowDataPacket[]>(sql);
  return rows.map((row) => ({ ...row }));
}

/** The server runs as another user, which has to read its key. */
async function writeCertificate(directory: string, data: string): Promise<string> {
  const authority = await makeAuthority(new Date());
  const shown = await authority.issue(['localhost', '127.0.0.1']);
  const { uid, gid } = await stat(data);
  for (const [file, text] of [
    ['server.crt', shown.certificate],
    ['server.key', shown.key],
  ] as const) {
    await writeFile(path.join(directory, file), text, { mode: 0o600 });
    if (userInfo().uid === 0) await chown(path.join(directory, file), uid, gid);
  }
  return authority.ca;
}

function started(flags: readonly string[]): Promise<ChildProcess> {
  const child = spawn(server ?? '', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = () => void child.kill('SIGKILL');
  // A test run that ends before its time must not leave a server behind.
  process.once('exit', kill);
  child.once('exit', () => process.removeListener('exit', kill));
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (bytes) => {
      said += String(bytes);
      if (/ready for connections/.test(said)) resolve(child);
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`MariaDB did not start: ${said.slice(-500)}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
