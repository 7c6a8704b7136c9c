import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  TagResourceCommand,
  type Task,
  UntagResourceCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { KeyturnError } from '../../contract/errors.ts';
import { type Ecs, type EcsServiceState, hook, parkedTag } from '../../hooks/redeploy/ecs.ts';
import { call } from '../aws/errors.ts';

/** DescribeTasks takes 100 tasks at most (ECS API reference). */
const tasksPerCall = 100;

const rollouts: ReadonlyMap<string, EcsServiceState['primary']['rollout']> = new Map([
  ['COMPLETED', 'completed'],
  ['FAILED', 'failed'],
]);

/** ECS through the AWS SDK. */
export function ecsApi(client: ECSClient): Ecs {
  return {
    async state(cluster, service) {
      const answer = await call('DescribeServices', () =>
        client.send(new DescribeServicesCommand({ cluster, services: [service], include: ['TAGS'] })),
      );
      const found = answer.services?.[0];
      const primary = found?.deployments?.find((deployment) => deployment.status === 'PRIMARY');
      if (found === undefined || primary === undefined || found.status !== 'ACTIVE') {
        throw new KeyturnError({
          code: 'AwsNotFound',
          message: `The ECS service ${service} must be active in the cluster ${cluster}; it is ${found?.status ?? 'not there'}.`,
        });
      }
      const parked = found.tags?.find(({ key }) => key === parkedTag)?.value;
      return {
        arn: found.serviceArn ?? '',
        parked: parked ?? null,
        desired: found.desiredCount ?? 0,
        primary: {
          createdAt: primary.createdAt ?? new Date(0),
          running: primary.runningCount ?? 0,
          rollout: rollouts.get(primary.rolloutState ?? '') ?? 'in-progress',
        },
        deployments: found.deployments?.length ?? 0,
      };
    },

    async tasks(cluster, service) {
      const found = await described(cluster, await taskArns(cluster, service));
      return found.map((task) => ({
        createdAt: task.createdAt ?? new Date(0),
        running: task.lastStatus === 'RUNNING',
        healthy:
          task.healthStatus === undefined || task.healthStatus === 'UNKNOWN'
            ? null
            : task.healthStatus === 'HEALTHY',
      }));
    },

    async stopping(cluster, service) {
      const found = await described(cluster, await taskArns(cluster, service, 'STOPPED'));
      return found.filter((task) => task.lastStatus !== 'STOPPED').length;
    },

    async scale(cluster, service, desiredCount, fresh) {
      await call('UpdateService', () =>
        client.send(
          new UpdateServiceCommand({
            cluster,
            service,
            desiredCount,
            ...(fresh ? { forceNewDeployment: true } : {}),
          }),
        ),
      );
    },

    async park(resourceArn, note) {
      if (note === null) {
        await call('UntagResource', () =>
          client.send(new UntagResourceCommand({ resourceArn, tagKeys: [parkedTag] })),
        );
        return;
      }
      const tags = [{ key: parkedTag, value: note }];
      await call('TagResource', () => client.send(new TagResourceCommand({ resourceArn, tags })));
    },

    async forceDeployment(cluster, service) {
      await call('UpdateService', () =>
        client.send(new UpdateServiceCommand({ cluster, service, forceNewDeployment: true })),
      );
    },
  };

  async function described(cluster: string, arns: readonly string[]): Promise<Task[]> {
    const tasks: Task[] = [];
    for (let start = 0; start < arns.length; start += tasksPerCall) {
      const answer = await call('DescribeTasks', () =>
        client.send(new DescribeTasksCommand({ cluster, tasks: arns.slice(start, start + tasksPerCall) })),
      );
      tasks.push(...(answer.tasks ?? []));
    }
    return tasks;
  }

  async function taskArns(
    cluster: string,
    service: string,
    desiredStatus: 'RUNNING' | 'STOPPED' = 'RUNNING',
  ): Promise<string[]> {
    const arns: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = nextToken;
      const answer = await call('ListTasks', () =>
        client.send(
          new ListTasksCommand({
            cluster,
            serviceName: service,
            desiredStatus,
            ...(page === undefined ? {} : { nextToken: page }),
          }),
        ),
      );
      arns.push(...(answer.taskArns ?? []));
      nextToken = answer.nextToken;
    } while (nextToken !== undefined);
    return arns;
  }
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () => hook.connect(ecsApi(new ECSClient({})));
