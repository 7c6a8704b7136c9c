/**
 * ECS: clusters, services and tasks, of which the tasks are processes on this machine.
 *
 * Left out: revisions of task definitions, task sets, capacity, everything that creates or deletes over the API.
 * Shapes and errors: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/
 */

import { arn, lastPart } from './arn.ts';
import { type RunTaskDefinition, RunTasks } from './ecs-run-task.ts';
import type { Deployment, EcsServiceOptions } from './ecs-service.ts';
import { EcsService } from './ecs-service.ts';
import type { ServiceDefinition } from './ecs-spec.ts';
import { serviceSpec } from './ecs-spec.ts';
import type { EcsTask } from './ecs-task.ts';
import { number, objects, text, texts } from './json-shape.ts';
import type { JsonObject, Service } from './wire.ts';
import { AwsError } from './wire.ts';

export class Ecs implements Service {
  readonly signingName = 'ecs';
  readonly #options: EcsServiceOptions;
  readonly #services = new Map<string, EcsService>();
  readonly #runs: RunTasks;

  constructor(options: EcsServiceOptions) {
    this.#options = options;
    this.#runs = new RunTasks(options);
  }

  /** Makes a task definition known, which RunTask starts. */
  defineTask(definition: RunTaskDefinition): void {
    this.#runs.define(definition);
  }

  /**
   * Creates a service and waits for its first deployment.
   * @returns the load balancer's port
   * @throws Error with the task's reason when the first tasks do not become healthy
   */
  async defineService(definition: ServiceDefinition): Promise<number> {
    const service = new EcsService(serviceSpec(definition), this.#options);
    const key = `${definition.cluster}/${definition.service}`;
    if (this.#services.has(key)) throw new Error(`there is a service ${key} already`);
    await service.open();
    this.#services.set(key, service);
    await service.settled();
    const [primary] = service.deployments;
    if (primary?.rolloutState === 'COMPLETED') return service.port;
    this.#services.delete(key);
    const reasons = service.tasks.map(({ stoppedReason }) => stoppedReason).join('; ');
    await service.close();
    throw new Error(`service ${key} did not start: ${reasons}`);
  }

  services(): readonly EcsService[] {
    return [...this.#services.values()];
  }

  async stop(): Promise<void> {
    await Promise.all([...this.services().map((service) => service.close()), this.#runs.stop()]);
  }

  async handle(operation: string, input: JsonObject): Promise<JsonObject> {
    if (operation === 'TagResource' || operation === 'UntagResource') return this.#tag(operation, input);
    const cluster = this.#cluster(input);
    switch (operation) {
      case 'UpdateService':
        return this.#update(cluster, input);
      case 'DescribeServices':
        return this.#describeServices(cluster, input);
      case 'ListTasks':
        return this.#listTasks(cluster, input);
      case 'DescribeTasks':
        return this.#describeTasks(cluster, input);
      case 'RunTask':
        return this.#runs.run(cluster, input);
      default:
        throw new AwsError('UnknownOperationException', `ecs has no operation ${operation} here`);
    }
  }

  #cluster(input: JsonObject): string {
    const cluster = lastPart(text(input.cluster) ?? 'default');
    if (this.services().some(({ spec }) => spec.cluster === cluster) || this.#runs.has(cluster))
      return cluster;
    throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
  }

  #service(cluster: string, nameOrArn: string): EcsService {
    const service = this.#services.get(`${cluster}/${lastPart(nameOrArn)}`);
    if (service === undefined) throw new AwsError('ServiceNotFoundException', 'Service not found.');
    return service;
  }

  #update(cluster: string, input: JsonObject): JsonObject {
    const service = this.#service(cluster, text(input.service) ?? '');
    const unknown = Object.keys(input).find(
      (name) => !['cluster', 'service', 'forceNewDeployment', 'desiredCount'].includes(name),
    );
    if (unknown !== undefined)
      throw new AwsError('InvalidParameterException', `the rehearsal does not update ${unknown}`);
    const desired = number(input.desiredCount);
    if (desired !== undefined) service.scale(desired);
    if (input.forceNewDeployment === true) service.deploy();
    return { service: serviceShape(service) };
  }

  /** Tags of services only; their ARNs end in cluster and name. */
  #tag(operation: string, input: JsonObject): JsonObject {
    const [, cluster = '', name = ''] = (text(input.resourceArn) ?? '').split('/');
    const { tags } = this.#service(cluster, name);
    for (const key of texts(input.tagKeys)) tags.delete(key);
    if (operation === 'TagResource') {
      for (const tag of objects(input.tags)) tags.set(text(tag.key) ?? '', text(tag.value) ?? '');
    }
    return {};
  }

  #describeServices(cluster: string, input: JsonObject): JsonObject {
    const names = texts(input.services);
    if (names.length < 1 || names.length > 10) {
      throw new AwsError('InvalidParameterException', 'services must have 1 to 10 elements.');
    }
    const found = names.map((name) => this.#services.get(`${cluster}/${lastPart(name)}`) ?? name);
    return {
      services: found.flatMap((service) =>
        typeof service === 'string'
          ? []
          : [{ ...serviceShape(service), ...(texts(input.include).includes('TAGS') ? tagsOf(service) : {}) }],
      ),
      failures: found.flatMap((service) =>
        typeof service === 'string' ? [missing('service', cluster, service)] : [],
      ),
    };
  }

  #listTasks(cluster: string, input: JsonObject): JsonObject {
    const serviceName = text(input.serviceName);
    const services =
      serviceName === undefined
        ? this.services().filter(({ spec }) => spec.cluster === cluster)
        : [this.#service(cluster, serviceName)];
    const desired = text(input.desiredStatus) ?? 'RUNNING';
    const startedBy = text(input.startedBy);
    const taskArns = services
      .flatMap(({ tasks }) => tasks)
      .filter(
        (task) => desiredStatus(task) === desired && (startedBy ?? task.deploymentId) === task.deploymentId,
      )
      .map((task) => task.arn);
    const size = Math.min(number(input.maxResults) ?? 100, 100);
    const from = Number(text(input.nextToken) ?? '0');
    const next = from + size < taskArns.length ? { nextToken: String(from + size) } : {};
    return { taskArns: taskArns.slice(from, from + size), ...next };
  }

  #describeTasks(cluster: string, input: JsonObject): JsonObject {
    const wanted = texts(input.tasks);
    if (wanted.length < 1 || wanted.length > 100) {
      throw new AwsError('InvalidParameterException', 'tasks must have 1 to 100 elements.');
    }
    const all = this.services()
      .filter(({ spec }) => spec.cluster === cluster)
      .flatMap((service) => service.tasks.map((task) => ({ service, task })));
    const found = wanted.map((id) => {
      const ofService = all.find(({ task }) => lastPart(task.arn) === lastPart(id));
      return ofService === undefined
        ? (this.#runs.shape(cluster, id) ?? id)
        : taskShape(ofService.service, ofService.task);
    });
    return {
      tasks: found.filter((one) => typeof one !== 'string'),
      failures: found.flatMap((one) => (typeof one === 'string' ? [missing('task', cluster, one)] : [])),
    };
  }
}

const missing = (kind: string, cluster: string, nameOrArn: string): JsonObject => ({
  arn: nameOrArn.startsWith('arn:') ? nameOrArn : arn('ecs', `${kind}/${cluster}/${nameOrArn}`),
  reason: 'MISSING',
});

const desiredStatus = ({ status }: EcsTask): 'RUNNING' | 'STOPPED' =>
  status === 'DEACTIVATING' || status === 'STOPPING' || status === 'STOPPED' ? 'STOPPED' : 'RUNNING';

const taskDefinition = ({ spec }: EcsService): string => arn('ecs', `task-definition/${spec.service}:1`);

const tagsOf = ({ tags }: EcsService): JsonObject => ({
  tags: [...tags].map(([key, value]) => ({ key, value })),
});

function serviceShape(service: EcsService): JsonObject {
  const { spec, deployments, events, createdAt } = service;
  const { desiredCount, maximumPercent, minimumHealthyPercent } = spec;
  const counts = deployments.map((deployment) => countsOf(service, deployment));
  return {
    serviceArn: arn('ecs', `service/${spec.cluster}/${spec.service}`),
    serviceName: spec.service,
    clusterArn: arn('ecs', `cluster/${spec.cluster}`),
    status: 'ACTIVE',
    desiredCount,
    runningCount: counts.reduce((sum, { runningCount }) => sum + runningCount, 0),
    pendingCount: counts.reduce((sum, { pendingCount }) => sum + pendingCount, 0),
    launchType: 'FARGATE',
    schedulingStrategy: 'REPLICA',
    taskDefinition: taskDefinition(service),
    deploymentConfiguration: {
      deploymentCircuitBreaker: { enable: true, rollback: false },
      maximumPercent,
      minimumHealthyPercent,
    },
    deployments: deployments.map((deployment) => deploymentShape(service, deployment)),
    events: events.slice(0, 100).map((event) => ({ ...event, createdAt: event.createdAt / 1000 })),
    createdAt: createdAt / 1000,
  };
}

function deploymentShape(service: EcsService, deployment: Deployment): JsonObject {
  const { createdAt, updatedAt, ...rest } = deployment;
  return {
    ...rest,
    ...countsOf(service, deployment),
    // An older deployment is on its way to none.
    desiredCount: deployment.status === 'PRIMARY' ? service.spec.desiredCount : 0,
    taskDefinition: taskDefinition(service),
    launchType: 'FARGATE',
    createdAt: createdAt / 1000,
    updatedAt: updatedAt / 1000,
  };
}

function countsOf(
  service: EcsService,
  deployment: Deployment,
): { runningCount: number; pendingCount: number } {
  const tasks = service.tasksOf(deployment);
  const runningCount = tasks.filter(({ status }) => status === 'RUNNING').length;
  return { runningCount, pendingCount: tasks.length - runningCount };
}

function taskShape(service: EcsService, task: EcsTask): JsonObject {
  const { spec } = service;
  const { status, health, createdAt, startedAt, stoppedAt, stoppedReason } = task;
  return {
    taskArn: task.arn,
    clusterArn: arn('ecs', `cluster/${spec.cluster}`),
    taskDefinitionArn: taskDefinition(service),
    group: `service:${spec.service}`,
    startedBy: task.deploymentId,
    lastStatus: status,
    desiredStatus: desiredStatus(task),
    healthStatus: health,
    launchType: 'FARGATE',
    createdAt: createdAt / 1000,
    ...(startedAt === null ? {} : { startedAt: startedAt / 1000 }),
    ...(stoppedAt === null ? {} : { stoppedAt: stoppedAt / 1000 }),
    ...(stoppedReason === null ? {} : { stoppedReason }),
    containers: [{ name: spec.service, lastStatus: status, healthStatus: health, taskArn: task.arn }],
  };
}
