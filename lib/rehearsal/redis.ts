/** A real Redis for a rehearsal or a test: its own port, TLS by an authority of its own, nothing kept but its users. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Certificate, makeAuthority } from './certificates.ts';
import { freePort } from './endpoint/free-port.ts';

export interface RedisOptions {
  /** Where the server saves its users: a file of its own, its configuration file, or nowhere. Default: `acl-file`. */
  readonly saves?: 'acl-file' | 'configuration' | 'nowhere';
  /** False: the server speaks no TLS at all. Default: it does. */
  readonly tls?: boolean;
  /** What the server shows. Default: a certificate for localhost and 127.0.0.1. */
  readonly certificate?: Certificate;
  /** Further lines of its configuration. Default: none. */
  readonly lines?: readonly string[];
}

export interface Redis {
  readonly host: 'localhost';
  readonly port: number;
  /** The first one of the user `default`. */
  readonly password: string;
  /** PEM text that verifies the server; null without TLS. */
  readonly ca: string | null;
  /** `redis://` or `rediss://`, of the user `default`. */
  readonly url: string;
  /** What the server has stored of its configuration and users. */
  stored(): Promise<string>;
  /** All that the server has logged so far. */
  log(): string;
  /** Ends every session, and starts again from what was stored, at the same port. */
  restart(): Promise<void>;
  /** Ends the server and removes everything that it has written. */
  stop(): Promise<void>;
}

/** Why there is no Redis on this machine, as a sentence; null: there is one. */
export function noRedis(): string | null {
  const { error, status } = spawnSync('redis-server', ['--version'], { stdio: 'ignore' });
  return error === undefined && status === 0 ? null : 'no redis-server on this machine';
}

/** Another process may take a free port between its discovery and the server's start. */
const tries = 3;

/** Milliseconds until it has to serve. */
const startsWithin = 30_000;

/** @throws Error when no server could be started; its message has the server's last lines. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  for (let left = tries; ; left -= 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (left <= 1) throw error;
    }
  }
}

async function startOnce(options: RedisOptions): Promise<Redis> {
  const { saves = 'acl-file', tls = true, certificate, lines = [] } = options;
  const directory = await mkdtemp(path.join(tmpdir(), 'keyturn-redis-'));
  const file = (name: string) => path.join(directory, name);
  const port = await freePort();
  const password = randomBytes(24).toString('base64url');
  const authority = tls ? await makeAuthority(new Date()) : null;
  const hash = createHash('sha256').update(password).digest('hex');
  const configuration = [
    'bind 127.0.0.1',
    `dir ${directory}`,
    'save ""',
    ...(tls
      ? [
          'port 0',
          `tls-port ${port}`,
          `tls-cert-file ${file('server.crt')}`,
          `tls-key-file ${file('server.key')}`,
          `tls-ca-cert-file ${file('authority.crt')}`,
          'tls-auth-clients no',
        ]
      : [`port ${port}`]),
    ...(saves === 'acl-file' ? [`aclfile ${file('users.acl')}`] : [`requirepass ${password}`]),
    ...lines,
    '',
  ].join('\n');
  if (authority !== null) {
    const shown = certificate ?? (await authority.issue(['localhost', '127.0.0.1']));
    await writeFile(file('server.crt'), shown.certificate);
    await writeFile(file('server.key'), shown.key, { mode: 0o600 });
    await writeFile(file('authority.crt'), authority.ca);
  }
  await writeFile(file('redis.conf'), configuration, { mode: 0o600 });
  await writeFile(file('users.acl'), `user default on #${hash} ~* &* +@all\n`, { mode: 0o600 });
  // From its standard input it has no file to save to.
  const server = new Server(saves === 'nowhere' ? '-' : file('redis.conf'), configuration);
  const stop = async () => {
    await server.end();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host: 'localhost',
    port,
    password,
    ca: authority?.ca ?? null,
    url: `${tls ? 'rediss' : 'redis'}://default:${password}@localhost:${port}/0`,
    stored: async () =>
      (await Promise.all(['redis.conf', 'users.acl'].map((name) => readFile(file(name), 'utf8')))).join('\n'),
    log: () => server.printed,
    async restart() {
      await server.end();
      await server.start();
    },
    stop,
  };
}

/** Those that run now: a run that is interrupted takes its servers with it. */
const live = new Set<ChildProcess>();
process.on('exit', () => {
  for (const server of live) server.kill('SIGKILL');
});

class Server {
  printed = '';
  #process: ChildProcess | null = null;
  readonly #from: string;
  readonly #configuration: string;

  /** @param from the configuration file, or `-`: the text is handed over. */
  constructor(from: string, configuration: string) {
    this.#from = from;
    this.#configuration = configuration;
  }

  async start(): Promise<void> {
    const begins = this.printed.length;
    const started = spawn('redis-server', [this.#from], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process = started;
    live.add(started);
    let failed = false;
    started.once('error', () => {
      failed = true;
    });
    started.stdin.on('error', () => {});
    started.stdin.end(this.#from === '-' ? this.#configuration : '');
    const keep = (bytes: Buffer) => {
      this.printed += bytes.toString();
    };
    started.stdout.on('data', keep);
    started.stderr.on('data', keep);
    const until = Date.now() + startsWithin;
    while (!this.printed.slice(begins).includes('Ready to accept connections')) {
      if (failed || started.exitCode !== null || Date.now() > until) {
        throw new Error(`Redis did not start: ${this.printed.slice(-500)}`);
      }
      await wait(10);
    }
  }

  async end(): Promise<void> {
    const ending = this.#process;
    this.#process = null;
    if (ending !== null) live.delete(ending);
    if (ending === null || ending.pid === undefined || ending.exitCode !== null || ending.signalCode !== null)
      return;
    const ended = once(ending, 'exit');
    ending.kill('SIGKILL');
    await ended;
  }
}
