/** A team's own application and its deployment file, in a directory of their own: what a rehearsal runs in place of a twin. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the application does wrong. */
export type Fault = 'accepts every token' | 'prints its token';

export interface Team {
  readonly directory: string;
  /** The deployment file. */
  readonly file: string;
  /** Token and key that each process of the application was started with, the first one first. */
  started(): Promise<readonly (readonly [string, string])[]>;
  remove(): Promise<void>;
}

/** Reads its token once, when it starts, and dies without it; what is behind /private wants it as a bearer. */
const server = (started: string, faults: readonly Fault[]) => `
  import { appendFileSync } from 'node:fs';
  import { createServer } from 'node:http';

  const { HEALTH_CHECK_TOKEN: token, PROVIDER_KEY: key, PORT: port } = process.env;
  if (!token || !key) throw new Error('HEALTH_CHECK_TOKEN and PROVIDER_KEY must be set');
  appendFileSync(${JSON.stringify(started)}, JSON.stringify([token, key]) + '\\n');
  ${faults.includes('prints its token') ? "console.log('ready, with ' + token);" : "console.log('ready');"}
  const accepted = new Set(['Bearer ' + token, 'Bearer ' + key]);
  createServer((request, response) => {
    const open = request.url === '/up' || ${faults.includes('accepts every token')};
    response.writeHead(open || accepted.has(request.headers.authorization) ? 200 : 401);
    response.end('{}');
  }).listen(Number(port), '127.0.0.1');`;

const probe = (variable: string) => ({
  kind: 'http',
  path: '/private',
  headers: { authorization: `Bearer {${variable}}` },
  accepted: { status: [200] },
  refused: { status: [401] },
});

export async function makeTeam(faults: readonly Fault[] = []): Promise<Team> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-team-'));
  const started = join(directory, 'started.txt');
  const program = join(directory, 'server.mjs');
  const file = join(directory, 'team.json');
  const deployment = {
    name: 'team',
    platform: 'ocore',
    secrets: {
      HEALTH_CHECK_TOKEN: {
        source: { create: { name: 'team/token' } },
        consumers: ['web'],
        probe: probe('HEALTH_CHECK_TOKEN'),
      },
      PROVIDER_KEY: {
        class: 'operator-supplied',
        options: { variable: 'PROVIDER_KEY' },
        source: { create: { name: 'team/provider-key' } },
        consumers: ['web'],
        probe: probe('PROVIDER_KEY'),
      },
    },
    consumers: { web: { kind: 'process', command: [process.execPath, program], health: '/up' } },
  };
  await writeFile(program, server(started, faults));
  await writeFile(file, JSON.stringify(deployment));
  return {
    directory,
    file,
    async started() {
      const lines = (await readFile(started, 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as [string, string]);
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
