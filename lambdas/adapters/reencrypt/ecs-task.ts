import {
  ConflictException,
  DescribeTasksCommand,
  ECSClient,
  type Failure,
  RunTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { KeyturnError } from '../../contract/errors.ts';
import { type EcsTasks, hook, type TaskRequest, type TaskSeen } from '../../hooks/reencrypt/ecs-task.ts';
import { call } from '../aws/errors.ts';

/** Tasks of ECS through the AWS SDK. A task's reasons may quote what it was started with; they stay in here. */
export function ecsTasks(client: ECSClient): EcsTasks {
  return {
    async start(request) {
      const { tasks, failures } = await call('RunTask', () => run(client, request));
      const [task] = tasks;
      if (task !== undefined) return seenOf(task, request.container);
      throw new KeyturnError({
        code: 'ReencryptionFailed',
        message: `ECS must start the task ${request.taskDefinition}; it did not (${reasonOf(failures)}).`,
        retryable: true,
      });
    },

    async look(cluster, arn, container) {
      const answer = await call('DescribeTasks', () =>
        client.send(new DescribeTasksCommand({ cluster, tasks: [arn] })),
      );
      const task = answer.tasks?.[0];
      return task === undefined ? null : seenOf(task, container);
    },
  };
}

interface Ran {
  readonly tasks: readonly Task[];
  readonly failures: readonly Failure[];
}

async function run(client: ECSClient, request: TaskRequest): Promise<Ran> {
  try {
    const { tasks = [], failures = [] } = await client.send(new RunTaskCommand(inputOf(request)));
    return { tasks, failures };
  } catch (error) {
    // The deployment has changed since a task was started with this token: it is the one to wait for.
    const [taskArn] = error instanceof ConflictException ? (error.resourceIds ?? []) : [];
    if (taskArn === undefined) throw error;
    return { tasks: [{ taskArn }], failures: [] };
  }
}

function inputOf({ cluster, taskDefinition, container, launch, network, ...rest }: TaskRequest) {
  return {
    cluster,
    taskDefinition,
    count: 1,
    launchType: launch,
    clientToken: rest.token,
    startedBy: rest.startedBy,
    ...(network === undefined
      ? {}
      : {
          networkConfiguration: {
            awsvpcConfiguration: {
              subnets: network.subnets,
              securityGroups: network.securityGroups,
              assignPublicIp: network.publicAddress ? ('ENABLED' as const) : ('DISABLED' as const),
            },
          },
        }),
    overrides: {
      containerOverrides: [
        {
          name: container,
          environment: Object.entries(rest.environment).map(([name, value]) => ({ name, value })),
        },
      ],
    },
  };
}

function seenOf(task: Task, container: string): TaskSeen {
  return {
    arn: task.taskArn ?? '',
    createdAt: task.createdAt ?? new Date(0),
    stopped: task.lastStatus === 'STOPPED',
    exitCode: task.containers?.find(({ name }) => name === container)?.exitCode ?? null,
  };
}

/** A constant of ECS such as `RESOURCE:MEMORY` (ECS developer guide, "API failure reasons"). */
function reasonOf(failures: readonly Failure[]): string {
  const reason = failures[0]?.reason ?? '';
  return /^[A-Za-z:_ -]{1,60}$/.test(reason) ? reason : 'no reason is given';
}

/** Read by the generated entries of the stages that move and count stored data. */
export const connected = () => hook.connect(ecsTasks(new ECSClient({})));
