/** Starts a twin as the stand-in of ECS does: a process with exactly the environment it is given. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface Started {
  readonly url: string;
  readonly child: ChildProcess;
  /** Sends SIGTERM and gives the exit code. */
  stop(): Promise<number | null>;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export async function startTwin(
  twin: string,
  environment: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = spawned(twin, environment);
  const ended = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8');
      const listening = /listening on (\S+)\n/.exec(output)?.[1];
      if (listening !== undefined) resolve(listening);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', () => reject(new Error(`${twin} ended at start: ${output}`)));
  });
  return {
    url,
    child,
    async stop() {
      child.kill('SIGTERM');
      const [code] = await ended;
      return code;
    },
  };
}

/** For twins that must refuse to start: kills one that does not after 5 s. */
export async function runTwin(twin: string, environment: Readonly<Record<string, string>>): Promise<Ended> {
  const child = spawned(twin, environment);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    // It came up: that is the answer, no need to wait for more.
    child.kill('SIGKILL');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  return { code, output };
}

function spawned(twin: string, environment: Readonly<Record<string, string>>): ChildProcess {
  const program = fileURLToPath(new URL(`../../lib/rehearsal/twins/${twin}.mjs`, import.meta.url));
  return spawn(process.execPath, [program], { env: { PORT: '0', ...environment } });
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function ask(
  url: string,
  route: string,
  options: {
    readonly bearer?: string;
    readonly body?: object;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<Answer> {
  const [method = 'GET', path = '/'] = route.split(' ');
  const response = await fetch(new URL(path, url), {
    method,
    headers: {
      // Every call on a connection of its own: a kept one would hide a server that has stopped listening.
      connection: 'close',
      ...options.headers,
      ...(options.bearer === undefined ? {} : { authorization: `Bearer ${options.bearer}` }),
    },
    body: options.body === undefined ? null : JSON.stringify(options.body),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}
