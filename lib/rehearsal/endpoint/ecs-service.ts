/**
 * One ECS service: keeps its tasks running and rolls a new deployment out without dropping below its minimum.
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
 */

import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { ServiceSpec } from './ecs-spec.ts';
import { leastHealthy, mostTasks } from './ecs-spec.ts';
import type { TaskOptions } from './ecs-task.ts';
import { EcsTask } from './ecs-task.ts';
import { LoadBalancer } from './load-balancer.ts';

export interface Deployment {
  /** `ecs-svc/` and 19 digits. */
  readonly id: string;
  status: 'PRIMARY' | 'ACTIVE';
  rolloutState: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  rolloutStateReason: string;
  /** Milliseconds since the epoch, in the endpoint's time. */
  readonly createdAt: number;
  updatedAt: number;
  failedTasks: number;
}

export interface ServiceEvent {
  readonly id: string;
  readonly createdAt: number;
  readonly message: string;
}

export type EcsServiceOptions = Pick<TaskOptions, 'now' | 'resolveSecret' | 'onLog'>;

/** How long requests in flight may take before a task is stopped nevertheless, in milliseconds. */
const drainLimit = 10_000;

export class EcsService {
  /** As it was defined, with as many tasks as are wanted now. */
  spec: ServiceSpec;
  readonly createdAt: number;
  readonly tags = new Map<string, string>();
  /** Newest first; deployments without tasks are gone, as in AWS. */
  deployments: Deployment[] = [];
  readonly events: ServiceEvent[] = [];
  /** Stopped ones included. */
  readonly tasks: EcsTask[] = [];
  port = 0;
  /** While true, no task that starts becomes healthy: an image or a value that the application cannot use. */
  broken = false;
  readonly #options: EcsServiceOptions;
  readonly #balancer = new LoadBalancer();
  /** Work that is under way: starts, drains, stops. */
  readonly #pending = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(spec: ServiceSpec, options: EcsServiceOptions) {
    this.spec = spec;
    this.#options = options;
    this.createdAt = options.now();
  }

  /** Opens the port and starts the first deployment. */
  async open(): Promise<void> {
    this.port = await this.#balancer.listen(this.spec.port);
    this.deploy();
  }

  /** Begins a new deployment, which replaces every task; one that is under way is superseded. */
  deploy(): void {
    const now = this.#options.now();
    for (const older of this.deployments) older.status = 'ACTIVE';
    const id = `ecs-svc/${Array.from({ length: 19 }, (_, n) => randomInt(n === 0 ? 1 : 0, 10)).join('')}`;
    this.deployments.unshift({
      id,
      status: 'PRIMARY',
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: `ECS deployment ${id} in progress.`,
      createdAt: now,
      updatedAt: now,
      failedTasks: 0,
    });
    this.#reconcile();
  }

  /** Wants another number of tasks, 0 or more; the deployment stays the same. */
  scale(desiredCount: number): void {
    this.spec = { ...this.spec, desiredCount };
    const surplus = this.#alive().slice(desiredCount);
    for (const task of surplus) this.#track(this.#retire(task));
    this.#reconcile();
  }

  /** Waits until nothing moves any more. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Ends every task and closes the port. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.tasks.map((task) => task.stop('Service deleted')));
    await this.settled();
    await this.#balancer.close();
  }

  /** Tasks of a deployment that are not on their way out. */
  tasksOf(deployment: Deployment): EcsTask[] {
    return this.#alive().filter(({ deploymentId }) => deploymentId === deployment.id);
  }

  #alive(): EcsTask[] {
    return this.tasks.filter(({ status }) => !['DEACTIVATING', 'STOPPING', 'STOPPED'].includes(status));
  }

  /** Compares what runs with what should run, starts and stops what the percentages allow; called after each change. */
  #reconcile(): void {
    const [primary] = this.deployments;
    if (primary === undefined || this.#closing.signal.aborted) return;
    const current = this.tasksOf(primary);
    const old = this.#alive().filter(({ deploymentId }) => deploymentId !== primary.id);
    if (primary.rolloutState !== 'FAILED') {
      const room = mostTasks(this.spec) - this.tasks.filter(({ status }) => status !== 'STOPPED').length;
      const missing = Math.min(this.spec.desiredCount - current.length, room);
      for (let n = 0; n < missing; n += 1) this.#track(this.#startTask(primary));
      this.#stopOld(current, old);
    }
    if (primary.rolloutState === 'IN_PROGRESS' && old.length === 0) this.#complete(primary);
  }

  #stopOld(current: readonly EcsTask[], old: readonly EcsTask[]): void {
    const starting = old.filter(({ healthy }) => !healthy);
    for (const task of starting) this.#track(this.#retire(task));
    const serving = old.filter(({ healthy }) => healthy);
    const spare = current.filter(({ healthy }) => healthy).length + serving.length - leastHealthy(this.spec);
    for (const task of serving.slice(0, Math.max(0, spare))) this.#track(this.#retire(task));
  }

  #complete(primary: Deployment): void {
    const leaving = this.tasks.some(
      ({ deploymentId, status }) => deploymentId !== primary.id && status !== 'STOPPED',
    );
    if (leaving || this.tasksOf(primary).filter(({ healthy }) => healthy).length < this.spec.desiredCount)
      return;
    primary.rolloutState = 'COMPLETED';
    primary.rolloutStateReason = `ECS deployment ${primary.id} completed.`;
    primary.updatedAt = this.#options.now();
    this.deployments = [primary];
    this.#event(`(service ${this.spec.service}) (deployment ${primary.id}) deployment completed.`);
    this.#event(`(service ${this.spec.service}) has reached a steady state.`);
  }

  async #startTask(deployment: Deployment): Promise<void> {
    const task = new EcsTask({
      ...this.#options,
      spec: this.spec,
      deploymentId: deployment.id,
      broken: () => this.broken,
      onExit: (exited) => this.#track(this.#exited(exited)),
    });
    this.tasks.push(task);
    this.#event(`(service ${this.spec.service}) has started 1 tasks: (task ${task.arn}).`);
    if (await task.start()) this.#balancer.register(task.port);
    else if (this.deployments[0] === deployment) {
      this.#failed(deployment, task);
      await this.#pause(deployment.failedTasks);
    }
    this.#reconcile();
  }

  /** ECS throttles tasks that fail again and again; without that a broken replacement would busy the machine. */
  async #pause(failures: number): Promise<void> {
    const { signal } = this.#closing;
    await setTimeout(Math.min(50 * 2 ** failures, 5000), undefined, { signal }).catch(() => {});
  }

  #failed(deployment: Deployment, task: EcsTask): void {
    deployment.failedTasks += 1;
    deployment.updatedAt = this.#options.now();
    this.#event(
      `(service ${this.spec.service}) (task ${task.arn}) failed: ${task.stoppedReason ?? 'unknown'}.`,
    );
    if (deployment.rolloutState !== 'IN_PROGRESS' || deployment.failedTasks < this.spec.failureThreshold)
      return;
    deployment.rolloutState = 'FAILED';
    deployment.rolloutStateReason = 'ECS deployment circuit breaker: tasks failed to start.';
    this.#event(
      `(service ${this.spec.service}) (deployment ${deployment.id}) deployment failed: tasks failed to start.`,
    );
  }

  async #retire(task: EcsTask): Promise<void> {
    const served = task.healthy;
    task.status = 'DEACTIVATING';
    if (served) await this.#balancer.deregister(task.port, drainLimit);
    await task.stop(`Scaling activity initiated by (deployment ${this.deployments[0]?.id ?? ''})`);
    this.#event(`(service ${this.spec.service}) has stopped 1 running tasks: (task ${task.arn}).`);
    this.#reconcile();
  }

  /** A task that nobody stopped: it is replaced. */
  async #exited(task: EcsTask): Promise<void> {
    await this.#balancer.deregister(task.port, 0);
    if (task.startedAt !== null) this.#reconcile();
  }

  #event(message: string): void {
    this.events.unshift({ id: randomUUID(), createdAt: this.#options.now(), message });
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }
}
