/** A host: a directory with a compose file's .env, and the two commands that the script uses. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run } from './aws.ts';

export interface ServicePlan {
  /** Default: healthy. */
  readonly temper?: 'healthy' | 'slow' | 'never' | 'flapping' | 'fails' | 'unstoppable';
  readonly scale?: number;
  /** `docker compose up` does not return. */
  readonly hang?: boolean;
}

export interface HostState {
  canary: string;
  secrets: Record<string, Record<string, string>>;
  services: Record<string, ServicePlan>;
  containers: {
    id: string;
    service: string;
    environment: Record<string, string>;
    /** A container that starts again keeps the environment that it was made with. */
    createdAt: number;
    startedAt: number;
    /** `docker compose stop` ended it. */
    stopped?: boolean;
  }[];
  /** Services in the order in which they were made anew. */
  recreated: string[];
}

const commands = fileURLToPath(new URL('./host-commands.mjs', import.meta.url));

/** The interpreter itself: a version manager's shim takes longer than the program. */
export const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
  encoding: 'utf8',
}).trim();

export class ComposeHost {
  readonly root = mkdtempSync(join(tmpdir(), 'keyturn-host-'));
  readonly directory = join(this.root, 'app');
  readonly bin = join(this.root, 'bin');
  /** Everything that scripts printed. */
  printed = '';
  #scripts = 0;

  constructor(state: Partial<HostState> & Pick<HostState, 'canary' | 'secrets' | 'services'>) {
    mkdirSync(this.directory);
    mkdirSync(this.bin);
    this.write({ containers: [], recreated: [], ...state });
    for (const tool of ['aws', 'docker']) {
      const file = join(this.bin, tool);
      writeFileSync(
        file,
        `#!/bin/sh\nexport KEYTURN_TEST_STATE='${this.stateFile}'\nexec '${process.execPath}' '${commands}' ${tool} "$@"\n`,
      );
      chmodSync(file, 0o755);
    }
    symlinkSync(python, join(this.bin, 'python3'));
    // A long sleep lasts until the test ends it, and says that it began.
    const sleep = join(this.bin, 'sleep');
    writeFileSync(
      sleep,
      `#!/bin/sh\n[ "$1" -lt 10 ] && exec /bin/sleep "$1"\necho "$1" >>'${this.stateFile}.sleeping'\nwhile [ ! -e '${this.stateFile}.awake' ]; do /bin/sleep 0.05; done\n`,
    );
    chmodSync(sleep, 0o755);
  }

  /** Seconds of each long sleep that began. */
  get sleeping(): string[] {
    const file = `${this.stateFile}.sleeping`;
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  }

  /** Ends the long sleeps, also those to come. */
  wake(): void {
    writeFileSync(`${this.stateFile}.awake`, '');
  }

  get stateFile(): string {
    return join(this.root, 'state.json');
  }

  get state(): HostState {
    return JSON.parse(readFileSync(this.stateFile, 'utf8'));
  }

  write(state: HostState): void {
    writeFileSync(this.stateFile, JSON.stringify(state));
  }

  plan(service: string, plan: ServicePlan): void {
    const { state } = this;
    state.services[service] = plan;
    this.write(state);
  }

  /** Arguments of each call of a command. */
  get calls(): string[][] {
    const file = `${this.stateFile}.calls`;
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  get leaks(): string {
    const file = `${this.stateFile}.leaks`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** As the agent runs it: from a file, by sh. `killAfter` ends the whole group with kill -9. */
  run(script: string, killAfter?: () => boolean): Promise<Run> {
    // Each its own: a shell reads its script as it goes.
    this.#scripts += 1;
    const file = join(this.root, `script-${this.#scripts}.sh`);
    writeFileSync(file, script);
    const child = spawn('/bin/sh', [file], {
      detached: true,
      env: { PATH: `${this.bin}:/usr/bin:/bin`, HOME: this.root },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.printed += chunk.toString();
    });
    const timer =
      killAfter === undefined
        ? undefined
        : setInterval(() => {
            if (killAfter() && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
          }, 10);
    return new Promise((resolve) => {
      child.on('close', (code) => {
        clearInterval(timer);
        this.printed += output;
        resolve({ exitCode: code ?? 137, output });
      });
    });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
