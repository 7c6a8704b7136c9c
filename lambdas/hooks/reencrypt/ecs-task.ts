import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import type { IamStatement } from '../../contract/hooks.ts';
import {
  defineReencrypt,
  type ReencryptPorts,
  type Slice,
  type SliceReport,
} from '../../contract/reencryption.ts';

const Subnet = z.string().check(z.regex(/^subnet-[0-9a-f]{8,17}$/, 'must be the id of a subnet'));
const SecurityGroup = z.string().check(z.regex(/^sg-[0-9a-f]{8,17}$/, 'must be the id of a security group'));
const RoleArn = z
  .string()
  .check(z.regex(/^arn:aws[a-z-]*:iam::[0-9]{12}:role\/[\w+=,.@/-]{1,512}$/, 'must be the ARN of a role'));
const Name = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,255}$/, 'must be 1–255 of A–Z a–z 0–9 _ -'));

const Hook = z.strictObject({
  kind: z.literal('ecs-task'),
  /** Name of the cluster. */
  cluster: Name,
  /** Family of the task definition, or `family:revision`. */
  taskDefinition: z
    .string()
    .check(z.regex(/^[A-Za-z0-9_-]{1,255}(:[1-9][0-9]{0,9})?$/, 'must be a family, or family:revision')),
  /** The container whose exit code tells; it gets the variables. */
  container: Name,
  /** Default: FARGATE. */
  launch: z._default(z.enum(['FARGATE', 'EC2']), 'FARGATE'),
  /** For task definitions with the network mode awsvpc, as every one of Fargate. */
  network: z.optional(
    z.strictObject({
      subnets: z.array(Subnet).check(z.minLength(1), z.maxLength(16)),
      securityGroups: z._default(z.array(SecurityGroup).check(z.maxLength(5)), []),
      /** Whether the task gets a public address. Default: false. */
      publicAddress: z._default(z.boolean(), false),
    }),
  ),
  /** The roles of the task definition: its task role and its execution role. */
  roles: z._default(z.array(RoleArn).check(z.maxLength(4)), []),
  /**
   * How what is left is counted. `task`: the same task with KEYTURN_DO=count, which changes nothing and ends with 0
   * when nothing is left, with 3 when something is. `elsewhere`: by another hook of this secret.
   */
  count: z.enum(['task', 'elsewhere']),
  /** Tasks that may fail before the re-encryption does, 1–10. Default: 3. */
  tries: z._default(z.int().check(z.minimum(1), z.maximum(10)), 3),
});
type Hook = z.infer<typeof Hook>;

export interface TaskRequest {
  readonly cluster: string;
  readonly taskDefinition: string;
  readonly container: string;
  readonly launch: Hook['launch'];
  readonly network: Hook['network'];
  /** ARNs and ids; no value. */
  readonly environment: Readonly<Record<string, string>>;
  /** At most 64 characters: the same token starts no second task (ECS API reference, "Ensuring idempotency"). */
  readonly token: string;
  /** At most 36 characters. */
  readonly startedBy: string;
}

export interface TaskSeen {
  readonly arn: string;
  readonly createdAt: Date;
  readonly stopped: boolean;
  /** Of the container; null: it never ran, or runs. */
  readonly exitCode: number | null;
}

export interface EcsTasks {
  /** Starts a task, or finds the one that was started with this token. */
  start(request: TaskRequest): Promise<TaskSeen>;
  /** Null: ECS does not know it, yet or any more: it forgets a task about an hour after it has stopped. */
  look(cluster: string, arn: string, container: string): Promise<TaskSeen | null>;
}

const scope = 'arn:{partition}:ecs:{region}:{account}';

/** The exit code of a count that found something. */
const leftExitCode = 3;
/** Milliseconds between two looks at a task, and before a task is started after one that failed. */
const lookPause = 10_000;
const failurePause = 30_000;
/** For how long ECS may not know of a task that it has started (ECS API reference, RunTask, eventual consistency). */
const unseenLimit = 300_000;
/** How far the clocks of ECS and of this function may be apart. */
const clockSkew = 30_000;
/** Former runs under the same ring whose tokens still stand; a token is forgotten after 24 hours at most. */
const mostPasses = 50;

/**
 * A task of the team that moves the data, from beginning to end. It reads the values itself: `KEYTURN_SECRET_ARN`
 * names the secret, and `KEYTURN_VERSION_IDS` (separated by commas) the versions of it that together hold every key that
 * data may be under, the one with the key that data is to be under first. They are to be read by these ids: AWSPREVIOUS
 * may be on another version by now. `KEYTURN_WRITE_KEY_ID` and `KEYTURN_OTHER_KEY_IDS` (separated by commas) name the keys, `KEYTURN_DO` is
 * `reencrypt` or `count`. It must compare what it replaces, and end with 0 only when all is done.
 *
 * Exit code 0 says that the task is done, and nothing says how much it did: counts are unknown. The evidence for
 * retiring a key is the count, by the task itself or by another hook. A task outlasts the slice that started it;
 * the slices after it find it by its token.
 */
export const hook = defineReencrypt<Hook, EcsTasks>({
  kind: 'ecs-task',
  hook: Hook,

  check: ({ launch, network }) =>
    launch === 'FARGATE' && network === undefined
      ? 'network must be given with launch FARGATE: each of its tasks has an address of its own; it is missing.'
      : null,

  statements: ({ cluster, taskDefinition, roles }) => [
    startStatement(cluster, taskDefinition),
    {
      actions: ['ecs:DescribeTasks'],
      resources: [`${scope}:task/${cluster}/*`],
      wildcardReason: 'The ids of tasks are made by ECS and change with every task.',
    },
    ...(roles.length === 0
      ? []
      : [
          {
            actions: ['iam:PassRole'],
            resources: [...new Set(roles)],
            conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
          },
        ]),
  ],
  credentials: () => [],
  counts: ({ count }) => count === 'task',

  async run(hook, slice, ecs, ports) {
    const position = positionOf(slice.cursor);
    if (slice.dryRun) return hook.count === 'task' ? counted(hook, slice, ecs, ports) : unknown(true, null);
    // Noted before anything starts: after a crash, the task is known as one of this run by its age.
    if (position === null) return unknown(false, { began: ports.clock.now().getTime(), pass: 0, failed: 0 });
    return moved(hook, slice, ecs, ports, position);
  },

  count: (hook, slice, ecs, ports) =>
    hook.count === 'task' ? counted(hook, slice, ecs, ports) : Promise.resolve(unknown(true, null)),
});

const Position = z.strictObject({
  /** Milliseconds since 1970 at which this run began: a task that is older is of a former one. */
  began: z.int(),
  /** Counts the tasks of this ring: each has a token of its own. */
  pass: z.int(),
  failed: z.int(),
  task: z.optional(z.string()),
});
type Position = z.infer<typeof Position>;

function positionOf(cursor: string | null): Position | null {
  try {
    const result = Position.safeParse(JSON.parse(cursor ?? 'null'));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}

/** A task of a former run is waited for and proves nothing, so that never two of them work at once. */
async function moved(
  hook: Hook,
  slice: Slice,
  ecs: EcsTasks,
  ports: ReencryptPorts,
  from: Position,
): Promise<SliceReport> {
  let at = from;
  while (at.pass < mostPasses) {
    const request = requestOf(hook, slice, 'reencrypt', String(at.pass));
    const task = await awaited(hook, ecs, ports, at.task ?? (await ecs.start(request)));
    if (!task.ended) return unknown(false, { ...at, task: task.arn });
    const own = task.createdAt === null || task.createdAt >= at.began - clockSkew;
    if (own && task.exitCode === 0) return unknown(true, null);
    const failed = at.failed + (own ? 1 : 0);
    if (failed >= hook.tries) throw ended(hook, task.exitCode);
    at = { began: at.began, pass: at.pass + 1, failed };
    if (ports.remaining() < failurePause) return unknown(false, at);
    if (own) await ports.clock.sleep(failurePause);
  }
  throw new KeyturnError({
    code: 'ReencryptionFailed',
    message: `The task ${hook.taskDefinition} must end well within ${mostPasses} runs; it did not.`,
  });
}

/** A count that does not end within the slice is begun anew: it changes nothing. */
async function counted(hook: Hook, slice: Slice, ecs: EcsTasks, ports: ReencryptPorts): Promise<SliceReport> {
  const request = requestOf(hook, slice, 'count', ports.clock.now().toISOString());
  const task = await awaited(hook, ecs, ports, await ecs.start(request));
  if (!task.ended) return unknown(false, null);
  if (task.exitCode !== 0 && task.exitCode !== leftExitCode) throw ended(hook, task.exitCode);
  const left = task.exitCode === 0 ? 0 : 1;
  const target = hook.taskDefinition.replace(/:.*$/, '');
  return { ...unknown(true, null), targets: [{ target, total: null, moved: 0, left, poisoned: 0 }] };
}

type Waited =
  | { readonly ended: false; readonly arn: string }
  /** `createdAt` and `exitCode` are null when ECS has forgotten the task. */
  | { readonly ended: true; readonly createdAt: number | null; readonly exitCode: number | null };

async function awaited(
  { cluster, container }: Hook,
  ecs: EcsTasks,
  { clock, remaining }: ReencryptPorts,
  task: TaskSeen | string,
): Promise<Waited> {
  const arn = typeof task === 'string' ? task : task.arn;
  const unseenUntil = clock.now().getTime() + unseenLimit;
  for (;;) {
    const seen = await ecs.look(cluster, arn, container);
    if (seen?.stopped) return { ended: true, createdAt: seen.createdAt.getTime(), exitCode: seen.exitCode };
    if (seen === null && clock.now().getTime() >= unseenUntil) {
      return { ended: true, createdAt: null, exitCode: null };
    }
    if (remaining() < 2 * lookPause) return { ended: false, arn };
    await clock.sleep(lookPause);
  }
}

function requestOf(hook: Hook, slice: Slice, work: 'reencrypt' | 'count', pass: string): TaskRequest {
  const { cluster, taskDefinition, container, launch, network } = hook;
  const environment = {
    KEYTURN_DO: work,
    KEYTURN_SECRET_ARN: slice.secretId,
    KEYTURN_VERSION_IDS: slice.versionIds.join(','),
    KEYTURN_WRITE_KEY_ID: slice.ring.write.id,
    KEYTURN_OTHER_KEY_IDS: slice.ring.others
      .map(({ id }) => id)
      .sort()
      .join(','),
  };
  const token = createHash('sha256')
    .update([taskDefinition, container, ...Object.values(environment), pass].join('\n'))
    .digest('hex');
  const startedBy = `keyturn-${token.slice(0, 24)}`;
  return { cluster, taskDefinition, container, launch, network, environment, token, startedBy };
}

function unknown(finished: boolean, position: Position | null): SliceReport {
  return { finished, cursor: position === null ? null : JSON.stringify(position), targets: [], setAside: [] };
}

function startStatement(cluster: string, taskDefinition: string): IamStatement {
  const conditions = { ArnEquals: { 'ecs:cluster': `${scope}:cluster/${cluster}` } };
  const exact = taskDefinition.includes(':');
  return {
    actions: ['ecs:RunTask'],
    resources: [`${scope}:task-definition/${taskDefinition}${exact ? '' : ':*'}`],
    conditions,
    ...(exact
      ? {}
      : {
          wildcardReason:
            'The deployment names the family; each release of the team is a new revision of it.',
        }),
  };
}

function ended({ taskDefinition }: Hook, exitCode: number | null): KeyturnError {
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message: `The task ${taskDefinition} must end with exit code 0; it ended with ${exitCode ?? 'none'}.`,
    hint: 'See the task’s own log.',
    retryable: true,
  });
}
