/**
 * How many calls a second the local Secrets Manager answers, as a share of what the same clients get from a server
 * that only echoes. Both servers are processes of their own; the clients share this one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { region } from '../../lib/rehearsal/endpoint/wire.ts';
import { median } from './median.ts';

export interface RateRow {
  readonly connections: number;
  /** GetSecretValue through the unmodified SDK at the local Secrets Manager. Calls a second, medians of the rounds. */
  readonly endpoint: number;
  /** The same SDK call at the echo server: what the SDK leaves room for. */
  readonly echo: number;
  /** A bare node:http client at the echo server: what the machine leaves room for. */
  readonly bareEcho: number;
}

const SecretId = 'bench/key';

/** One call, answered. */
type Call = () => Promise<unknown>;

interface Client {
  readonly call: Call;
  close(): void;
}

/**
 * @param rounds how often each pair is measured, in turn
 * @param milliseconds of one measurement
 */
export async function measureRates(
  { rounds, milliseconds }: { readonly rounds: number; readonly milliseconds: number },
  note: (line: string) => void,
): Promise<RateRow[]> {
  const children: ChildProcess[] = [];
  const started = (file: string) => start(fileURLToPath(new URL(file, import.meta.url)), children);
  try {
    note('Starting the local account and an echo server.');
    const account = await started('../../lib/rehearsal/endpoint/endpoint-main.ts');
    const echo = await started('echo-main.ts');
    const operator = sdkClient(account, 1);
    await operator.client.send(
      new CreateSecretCommand({ Name: SecretId, SecretString: '{"KEY":"0123456789abcdef"}' }),
    );
    operator.close();
    const rows: RateRow[] = [];
    for (const connections of [1, 8]) {
      const clients = {
        endpoint: sdkClient(account, connections),
        echo: sdkClient(echo, connections),
        bareEcho: bareClient(echo, connections),
      };
      const rates = { endpoint: [] as number[], echo: [] as number[], bareEcho: [] as number[] };
      const kinds = ['endpoint', 'echo', 'bareEcho'] as const;
      // Connections are opened and code is compiled before anything counts.
      for (const kind of kinds) await rateOf(clients[kind], connections, milliseconds / 2);
      for (let round = 1; round <= rounds; round += 1) {
        note(
          `Calling over ${connections} connection${connections === 1 ? '' : 's'}, round ${round} of ${rounds}.`,
        );
        for (const kind of kinds) rates[kind].push(await rateOf(clients[kind], connections, milliseconds));
      }
      for (const kind of kinds) clients[kind].close();
      rows.push({
        connections,
        endpoint: median(rates.endpoint),
        echo: median(rates.echo),
        bareEcho: median(rates.bareEcho),
      });
    }
    return rows;
  } finally {
    for (const child of children) child.kill();
  }
}

async function rateOf({ call }: Client, clients: number, milliseconds: number): Promise<number> {
  const began = performance.now();
  let calls = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() - began < milliseconds) {
        await call();
        calls += 1;
      }
    }),
  );
  return (calls * 1000) / (performance.now() - began);
}

function sdkClient(
  endpoint: string,
  connections: number,
): Client & { readonly client: SecretsManagerClient } {
  const client = new SecretsManagerClient({
    endpoint,
    region,
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
    requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: connections }) },
    maxAttempts: 1,
  });
  return {
    client,
    call: () => client.send(new GetSecretValueCommand({ SecretId })),
    close: () => client.destroy(),
  };
}

/** The same body, over the same number of kept connections, and nothing else. */
function bareClient(endpoint: string, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const body = JSON.stringify({ SecretId });
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const sent = request(endpoint, { agent, method: 'POST' }, (response) => {
          response.resume();
          response.on('end', resolve);
        });
        sent.on('error', reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** @returns the address that the child prints. @throws Error when it ends before that. */
async function start(file: string, children: ChildProcess[]): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then((): [string] => {
      throw new Error(`${file} ended before it served`);
    }),
  ]);
  return String(line);
}
