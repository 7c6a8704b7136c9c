/**
 * Tasks of ECS that belong to no service: RunTask starts a process that ends by itself.
 *
 * A client token starts one task: with the same parameters it is the answer again, with others a conflict
 * (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html).
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { arn, lastPart } from './arn.ts';
import type { EcsServiceOptions } from './ecs-service.ts';
import { object, objects, text } from './json-shape.ts';
import type { JsonObject } from './wire.ts';
import { AwsError } from './wire.ts';

export interface RunTaskDefinition {
  readonly cluster: string;
  readonly family: string;
  /** The name of its one container. */
  readonly container: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Read when a task starts. RunTask's overrides win. Default: nothing. */
  readonly environment?: Readonly<Record<string, string>>;
}

interface Run {
  readonly arn: string;
  readonly definition: RunTaskDefinition;
  readonly startedBy: string | undefined;
  /** The request without its token, to tell a repetition from a conflict. */
  readonly request: string;
  readonly createdAt: number;
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
  stoppedAt: number | null;
  exitCode: number | null;
}

/** Tasks that run: they must not outlive this process, whatever ends it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class RunTasks {
  readonly #options: Pick<EcsServiceOptions, 'now' | 'onLog'>;
  readonly #definitions = new Map<string, RunTaskDefinition>();
  readonly #runs: Run[] = [];
  readonly #tokens = new Map<string, Run>();

  constructor(options: Pick<EcsServiceOptions, 'now' | 'onLog'>) {
    this.#options = options;
  }

  define(definition: RunTaskDefinition): void {
    this.#definitions.set(`${definition.cluster}/${definition.family}`, definition);
  }

  has(cluster: string): boolean {
    return [...this.#definitions.values()].some((definition) => definition.cluster === cluster);
  }

  run(cluster: string, input: JsonObject): JsonObject {
    const { clientToken, ...parameters } = input;
    const token = text(clientToken);
    if (token !== undefined && !/^[!-~]{1,64}$/.test(token)) {
      throw new AwsError('InvalidParameterException', 'Invalid clientToken');
    }
    const request = JSON.stringify(parameters);
    const known = token === undefined ? undefined : this.#tokens.get(`${cluster} ${token}`);
    if (known !== undefined && known.request !== request) {
      throw new AwsError('ConflictException', 'The clientToken is in use with another request.', 400, {
        resourceIds: [known.arn],
      });
    }
    const run = known ?? this.#start(cluster, request, input);
    if (token !== undefined) this.#tokens.set(`${cluster} ${token}`, run);
    return { tasks: [shapeOf(run)], failures: [] };
  }

  /** Null: there is no such task. */
  shape(cluster: string, nameOrArn: string): JsonObject | null {
    const run = this.#runs.find(
      (one) => one.definition.cluster === cluster && lastPart(one.arn) === lastPart(nameOrArn),
    );
    return run === undefined ? null : shapeOf(run);
  }

  async stop(): Promise<void> {
    for (const { child } of this.#runs) child.kill('SIGKILL');
    await Promise.all(this.#runs.map(({ gone }) => gone));
  }

  #start(cluster: string, request: string, input: JsonObject): Run {
    const family = lastPart((text(input.taskDefinition) ?? '').replace(/:\d+$/, ''));
    const definition = this.#definitions.get(`${cluster}/${family}`);
    if (definition === undefined) throw new AwsError('ClientException', 'TaskDefinition not found.');
    const overrides = objects(object(input.overrides).containerOverrides);
    const unknown = overrides.find(({ name }) => name !== definition.container);
    if (unknown !== undefined)
      throw new AwsError('InvalidParameterException', 'Override for unknown container.');
    const variables = overrides
      .flatMap(({ environment }) => objects(environment))
      .map(({ name, value }) => [text(name) ?? '', text(value) ?? '']);
    const [file = '', ...args] = definition.command;
    const child = spawn(file, args, {
      env: { PATH: process.env.PATH, ...definition.environment, ...Object.fromEntries(variables) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const taskArn = arn('ecs', `task/${cluster}/${randomBytes(16).toString('hex')}`);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#options.onLog(taskArn, line));
    }
    const gone = new Promise<void>((resolve) => {
      const ended = (exitCode: number | null) => {
        running.delete(child);
        run.stoppedAt ??= this.#options.now();
        run.exitCode ??= exitCode;
        resolve();
      };
      child.on('error', () => ended(null));
      // A process that a signal ended has 128 and the signal's number; 137 is SIGKILL.
      child.on('close', (code, signal) => ended(signal === null ? code : 137));
    });
    const run: Run = {
      arn: taskArn,
      definition,
      startedBy: text(input.startedBy),
      request,
      createdAt: this.#options.now(),
      child,
      gone,
      stoppedAt: null,
      exitCode: null,
    };
    this.#runs.push(run);
    return run;
  }
}

function shapeOf({ arn: taskArn, definition, startedBy, createdAt, stoppedAt, exitCode }: Run): JsonObject {
  const { cluster, family, container } = definition;
  const lastStatus = stoppedAt === null ? 'RUNNING' : 'STOPPED';
  return {
    taskArn,
    clusterArn: arn('ecs', `cluster/${cluster}`),
    taskDefinitionArn: arn('ecs', `task-definition/${family}:1`),
    group: `family:${family}`,
    ...(startedBy === undefined ? {} : { startedBy }),
    lastStatus,
    desiredStatus: lastStatus,
    launchType: 'FARGATE',
    createdAt: createdAt / 1000,
    startedAt: createdAt / 1000,
    ...(stoppedAt === null
      ? {}
      : {
          stoppedAt: stoppedAt / 1000,
          stopCode: 'EssentialContainerExited',
          stoppedReason: 'Essential container in task exited',
        }),
    containers: [{ name: container, taskArn, lastStatus, ...(exitCode === null ? {} : { exitCode }) }],
  };
}
