import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { KeyturnError } from '../../contract/errors.ts';
import { type Ecs, type EcsServiceState, type EcsTask, hook } from '../../hooks/redeploy/ecs.ts';
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
        client.send(new DescribeServicesCommand({ cluster, services: [service] })),
      );
      const found = answer.services?.[0];
      const primary = found?.deployments?.find((deployment) => deployment.status === 'PRIMARY');
      if (found === undefined || primary === undefined || found.status !== 'ACTIVE') {
        throw new KeyturnError({
          code: 'AwsNotFound',
          message: `The ECS service ${service} must be active in the cluster ${cluster}; it is ${found?.status ?? 'not there'}.`,
        });
      }
      return {
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
      const arns = await taskArns(cluster, service);
      const tasks: EcsTask[] = [];
      for (let start = 0; start < arns.length; start += tasksPerCall) {
        const answer = await call('DescribeTasks', () =>
          client.send(new DescribeTasksCommand({ cluster, tasks: arns.slice(start, start + tasksPerCall) })),
        );
        for (const task of answer.tasks ?? []) {
          tasks.push({
            createdAt: task.createdAt ?? new Date(0),
            running: task.lastStatus === 'RUNNING',
            healthy:
              task.healthStatus === undefined || task.healthStatus === 'UNKNOWN'
                ? null
                : task.healthStatus === 'HEALTHY',
          });
        }
      }
      return tasks;
    },

    async forceDeployment(cluster, service) {
      await call('UpdateService', () =>
        client.send(new UpdateServiceCommand({ cluster, service, forceNewDeployment: true })),
      );
    },
  };

  async function taskArns(cluster: string, service: string): Promise<string[]> {
    const arns: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = nextToken;
      const answer = await call('ListTasks', () =>
        client.send(
          new ListTasksCommand({
            cluster,
            serviceName: service,
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
