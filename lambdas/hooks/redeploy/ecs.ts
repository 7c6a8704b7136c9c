import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { defineRedeploy } from '../../contract/hooks.ts';

/** One running task of an ECS service. */
export interface EcsTask {
  readonly createdAt: Date;
  readonly running: boolean;
  readonly healthy: boolean | null;
}

export interface EcsServiceState {
  readonly arn: string;
  readonly desired: number;
  /** What a quiesce has noted on the service (`parkedTag`); null: nothing was stopped. */
  readonly parked: string | null;
  /** Of the deployment that should win. */
  readonly primary: {
    readonly createdAt: Date;
    readonly running: number;
    readonly rollout: 'in-progress' | 'completed' | 'failed';
  };
  /** How many deployments are still there; one when the service is steady. */
  readonly deployments: number;
}

export interface Ecs {
  state(cluster: string, service: string): Promise<EcsServiceState>;
  tasks(cluster: string, service: string): Promise<readonly EcsTask[]>;
  forceDeployment(cluster: string, service: string): Promise<void>;
  /** Tasks that are to stop and still run. */
  stopping(cluster: string, service: string): Promise<number>;
  /** Wants another number of tasks; `fresh`: of a new deployment. */
  scale(cluster: string, service: string, desired: number, fresh: boolean): Promise<void>;
  /** Notes on the service what is to be started again; null forgets it. */
  park(serviceArn: string, note: string | null): Promise<void>;
}

/** The tag of an ECS service that Keyturn stopped: how many tasks it had, and the mark of the secret it was for. */
export const parkedTag = 'keyturn:parked';

/** @returns null when nothing stopped it, or when it was started since. */
function parkedIn(
  { parked, desired }: EcsServiceState,
  secretId: string,
): { readonly tasks: number; readonly own: boolean } | null {
  if (parked === null || desired > 0) return null;
  const [tasks, mark] = parked.split(' ');
  return { tasks: Number(tasks), own: mark === markOf(secretId) };
}

function markOf(secretId: string): string {
  return createHash('sha256').update(secretId).digest('hex').slice(0, 16);
}

const Consumer = z.object({
  kind: z.literal('ecs'),
  /** Name of the cluster. */
  cluster: z.string().check(z.regex(/^[A-Za-z0-9_-]{1,255}$/, 'must be the name of an ECS cluster')),
  /** Name of the service; its tasks read the secret when they start. */
  service: z.string().check(z.regex(/^[A-Za-z0-9_-]{1,255}$/, 'must be the name of an ECS service')),
});
type Consumer = z.infer<typeof Consumer>;

const scope = 'arn:{partition}:ecs:{region}:{account}';

/**
 * An ECS service. A task resolves its secrets when it starts (ECS developer guide, "Pass Secrets Manager
 * secrets through environment variables"), so a new deployment is forced and every task that runs must be
 * younger than the version.
 */
export const hook = defineRedeploy<Consumer, Ecs>({
  kind: 'ecs',
  consumer: Consumer,

  statements: ({ cluster, service }) => [
    {
      actions: ['ecs:DescribeServices', 'ecs:UpdateService'],
      resources: [`${scope}:service/${cluster}/${service}`],
    },
    {
      actions: ['ecs:ListTasks'],
      resources: ['*'],
      conditions: { ArnEquals: { 'ecs:cluster': `${scope}:cluster/${cluster}` } },
      wildcardReason:
        'ListTasks has no resource of its own for a service; the condition holds it to the cluster.',
    },
    {
      actions: ['ecs:DescribeTasks'],
      resources: [`${scope}:task/${cluster}/*`],
      wildcardReason: 'The ids of tasks are made by ECS and change at every restart.',
    },
  ],

  check: () => null,

  restarts: ({ cluster, service }) => [`ecs/${cluster}/${service}`],

  quiesceStatements: ({ cluster, service }) => [
    {
      actions: ['ecs:TagResource', 'ecs:UntagResource'],
      resources: [`${scope}:service/${cluster}/${service}`],
    },
  ],

  /**
   * The count is noted before anything stops: a process that dies in between leaves a note too many, never one too
   * few. An autoscaling group with a minimum starts tasks again: its scaling must be suspended by its owner.
   */
  async quiesce({ cluster, service }, { secretId }, ecs) {
    const state = await ecs.state(cluster, service);
    const { arn, desired } = state;
    if (parkedIn(state, secretId)?.own === false) {
      return {
        idle: false,
        reason: `${service} is stopped for another secret, whose rollout must end first`,
      };
    }
    if (desired > 0) {
      await ecs.park(arn, `${desired} ${markOf(secretId)}`);
      await ecs.scale(cluster, service, 0, false);
    }
    const running = (await ecs.tasks(cluster, service)).length + (await ecs.stopping(cluster, service));
    return running === 0
      ? { idle: true }
      : { idle: false, reason: `${running} tasks of ${service} still run` };
  },

  async begin({ cluster, service }, { secretId, since }, ecs) {
    const state = await ecs.state(cluster, service);
    const { arn, primary } = state;
    const parked = parkedIn(state, secretId);
    // Data is being moved for another secret: its rollout starts the service, with this value too.
    if (parked?.own === false) return;
    if (parked !== null) await ecs.scale(cluster, service, parked.tasks, true);
    if (state.parked !== null) await ecs.park(arn, null);
    if (parked !== null) return;
    const youngEnough = primary.createdAt > since && primary.rollout !== 'failed';
    if (!youngEnough) await ecs.forceDeployment(cluster, service);
  },

  async look({ cluster, service }, { secretId, since }, ecs) {
    const state = await ecs.state(cluster, service);
    const parked = parkedIn(state, secretId);
    if (parked !== null) {
      const until = parked.own ? 'and not started again yet' : 'for another secret, whose rollout starts it';
      return { renewed: false, reason: `${service} is stopped ${until}` };
    }
    if (state.primary.rollout === 'failed') {
      return {
        renewed: false,
        reason: `the deployment of ${service} failed; its former tasks still run`,
        over: true,
      };
    }
    if (state.primary.createdAt <= since) {
      return { renewed: false, reason: `${service} has no deployment younger than the version` };
    }
    if (state.primary.rollout !== 'completed' || state.deployments > 1) {
      return {
        renewed: false,
        reason: `${service} runs ${state.primary.running} of ${state.desired} new tasks`,
      };
    }
    const tasks = await ecs.tasks(cluster, service);
    const old = tasks.filter((task) => task.createdAt <= since).length;
    if (old > 0) return { renewed: false, reason: `${old} tasks of ${service} are older than the version` };
    const ready = tasks.filter((task) => task.running && task.healthy !== false).length;
    return ready >= state.desired
      ? { renewed: true }
      : { renewed: false, reason: `${ready} of ${state.desired} tasks of ${service} are ready` };
  },
});
