/** What a service of the rehearsal is: a command instead of an image, otherwise as ECS has it. */

export interface ServiceSpec {
  readonly cluster: string;
  readonly service: string;
  /** Tasks that should run. 1 or more. */
  readonly desiredCount: number;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly cwd?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Variable -> `arn:aws:secretsmanager:…:secret:name-AbCdEf:KEY::`; without a key the whole value. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Answers 200 once the process can serve. */
  readonly healthPath: string;
  /** The load balancer's port; 0: any that is free. */
  readonly port: number;
  /** Percent of desiredCount that always serves, rounded up. Default 100. */
  readonly minimumHealthyPercent: number;
  /** Percent of desiredCount that may run at once, rounded down. Default 200. */
  readonly maximumPercent: number;
  /** How long a task may take to become healthy, in milliseconds. Default 10,000. */
  readonly startTimeoutMs: number;
  /** How long a task may take to end after SIGTERM, in milliseconds. Default 5,000 (ECS: 30 s). */
  readonly stopTimeoutMs: number;
  /**
   * Failed tasks that make a deployment FAILED. Default 1: ECS waits for at least 3, which repeats the same start
   * of the same program. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
   */
  readonly failureThreshold: number;
}

type Defaulted =
  | 'minimumHealthyPercent'
  | 'maximumPercent'
  | 'startTimeoutMs'
  | 'stopTimeoutMs'
  | 'failureThreshold'
  | 'port';

/** What a caller has to say about a service. */
export type ServiceDefinition = Omit<ServiceSpec, Defaulted> & Partial<Pick<ServiceSpec, Defaulted>>;

/** @throws RangeError for numbers with which no deployment could move */
export function serviceSpec(definition: ServiceDefinition): ServiceSpec {
  const spec: ServiceSpec = {
    port: 0,
    minimumHealthyPercent: 100,
    maximumPercent: 200,
    startTimeoutMs: 10_000,
    stopTimeoutMs: 5_000,
    failureThreshold: 1,
    ...definition,
  };
  const { desiredCount, minimumHealthyPercent, service } = spec;
  if (!(desiredCount >= 1))
    throw new RangeError(`service ${service}: desiredCount must be 1 or more, received ${desiredCount}`);
  if (mostTasks(spec) <= desiredCount && leastHealthy(spec) >= desiredCount) {
    throw new RangeError(
      `service ${service}: with minimumHealthyPercent ${minimumHealthyPercent} and maximumPercent ${spec.maximumPercent} no task could ever be replaced`,
    );
  }
  return spec;
}

export const leastHealthy = ({ desiredCount, minimumHealthyPercent }: ServiceSpec): number =>
  Math.ceil((desiredCount * minimumHealthyPercent) / 100);

export const mostTasks = ({ desiredCount, maximumPercent }: ServiceSpec): number =>
  Math.floor((desiredCount * maximumPercent) / 100);
