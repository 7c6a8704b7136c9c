/** One task of a service: a process with its own port, started with the secrets' current values. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { arn } from './arn.ts';
import type { ServiceSpec } from './ecs-spec.ts';
import { freePort } from './free-port.ts';

export type TaskStatus = 'PROVISIONING' | 'PENDING' | 'RUNNING' | 'DEACTIVATING' | 'STOPPING' | 'STOPPED';

export interface TaskOptions {
  readonly spec: ServiceSpec;
  readonly deploymentId: string;
  /** Milliseconds since the epoch, in the endpoint's time. */
  readonly now: () => number;
  /** The value of `arn:…:KEY::` under AWSCURRENT. */
  readonly resolveSecret: (valueFrom: string) => Promise<string>;
  readonly onLog: (taskArn: string, line: string) => void;
  /** Whether a task that starts now can become healthy at all. */
  readonly broken: () => boolean;
  /** The process ended although nobody had stopped it. */
  readonly onExit: (task: EcsTask) => void;
}

/** How often the health path is asked, in milliseconds of the wall clock. */
const healthPause = 25;

/** Tasks that run: they must not outlive this process, whatever ends it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class EcsTask {
  readonly arn: string;
  readonly deploymentId: string;
  /** Milliseconds since the epoch, in the endpoint's time. */
  readonly createdAt: number;
  startedAt: number | null = null;
  stoppedAt: number | null = null;
  stoppedReason: string | null = null;
  status: TaskStatus = 'PROVISIONING';
  health: 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY' = 'UNKNOWN';
  /** The process's own port; 0 until it was started. */
  port = 0;
  readonly #options: TaskOptions;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();

  constructor(options: TaskOptions) {
    this.#options = options;
    this.deploymentId = options.deploymentId;
    this.createdAt = options.now();
    this.arn = arn('ecs', `task/${options.spec.cluster}/${randomBytes(16).toString('hex')}`);
  }

  /** True while it serves. */
  get healthy(): boolean {
    return this.status === 'RUNNING' && this.health === 'HEALTHY';
  }

  /** Starts the process and waits for its health path. Never throws: false is a task that stopped, with its reason. */
  async start(): Promise<boolean> {
    const { spec, resolveSecret, now } = this.#options;
    try {
      const secrets = await Promise.all(
        Object.entries(spec.secrets).map(async ([name, from]) => [name, await resolveSecret(from)]),
      );
      this.port = await freePort();
      this.status = 'PENDING';
      this.#spawn({ ...spec.environment, ...Object.fromEntries(secrets), PORT: String(this.port) });
    } catch (error) {
      // ECS stops such a task before its container exists.
      const message = error instanceof Error ? error.message : String(error);
      this.#stopped(`ResourceInitializationError: unable to pull secrets or registry auth: ${message}`);
      return false;
    }
    const limit = Date.now() + spec.startTimeoutMs;
    while (this.status === 'PENDING') {
      if (this.#options.broken()) {
        this.health = 'UNHEALTHY';
        await this.stop('Task failed container health checks');
        return false;
      }
      if (await this.#answers()) {
        this.startedAt = now();
        this.status = 'RUNNING';
        this.health = 'HEALTHY';
        return true;
      }
      if (Date.now() > limit) {
        this.health = 'UNHEALTHY';
        await this.stop('Task failed container health checks');
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, healthPause));
    }
    return false;
  }

  /** SIGTERM, and SIGKILL when the process has not ended after the service's stop time-out. */
  async stop(reason: string): Promise<void> {
    if (this.status === 'STOPPED') return;
    this.status = 'STOPPING';
    this.stoppedReason ??= reason;
    const child = this.#child;
    child?.kill('SIGTERM');
    const timer = setTimeout(() => child?.kill('SIGKILL'), this.#options.spec.stopTimeoutMs);
    await this.#exited;
    clearTimeout(timer);
    this.#stopped(reason);
  }

  #spawn(environment: Record<string, string>): void {
    const { spec, onLog, onExit } = this.#options;
    const [file = '', ...args] = spec.command;
    const child = spawn(file, args, {
      cwd: spec.cwd,
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => onLog(this.arn, line));
    }
    this.#exited = new Promise((resolve) => {
      const ended = (reason: string) => {
        running.delete(child);
        const unasked = this.status === 'PENDING' || this.status === 'RUNNING';
        if (this.status !== 'STOPPING') this.#stopped(reason);
        resolve();
        if (unasked) onExit(this);
      };
      child.on('error', () => ended('CannotStartContainerError'));
      child.on('close', () => ended('Essential container in task exited'));
    });
  }

  async #answers(): Promise<boolean> {
    try {
      const url = `http://127.0.0.1:${this.port}${this.#options.spec.healthPath}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
      await response.arrayBuffer();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  #stopped(reason: string): void {
    this.status = 'STOPPED';
    this.stoppedReason ??= reason;
    this.stoppedAt ??= this.#options.now();
  }
}
