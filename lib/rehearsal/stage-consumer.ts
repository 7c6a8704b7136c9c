/** The consumers of a deployment as tasks of this machine. */
import type { Deployment } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ResolvedDeployment } from '../deployment/resolve.ts';
import type { Behaviour } from './behaviour.ts';
import { healthPathOf, parseProcessConsumer } from './process-consumer.ts';
import type { Twin, TwinConsumer, TwinUrls, TwinVariables, TwinWorld } from './twins/twin.ts';

/** How the tasks of one consumer run. */
export interface StagedConsumer {
  readonly name: string;
  readonly cluster: string;
  readonly service: string;
  /** Port of its load balancer. */
  readonly port: number;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly {
    readonly variable: string;
    readonly secret: string;
    readonly member: string;
  }[];
  readonly healthPath: string;
  readonly instances: number;
}

/** What every consumer is staged with. */
export interface Ground {
  readonly deployment: Deployment;
  readonly resolved: ResolvedDeployment;
  readonly ports: ReadonlyMap<string, number>;
  readonly urls: TwinUrls;
  readonly twin: Twin | undefined;
  readonly world: TwinWorld;
  readonly leftOut: ReadonlyMap<string, TwinVariables>;
}

export function stagedConsumer(
  name: string,
  consumer: Deployment['consumers'][string],
  { deployment, resolved, ports, urls, twin, world, leftOut }: Ground,
): StagedConsumer {
  const port = ports.get(name) ?? 0;
  if (consumer.kind === 'process') {
    const process_ = parseProcessConsumer(name, consumer);
    const readers = resolved.secrets.filter(({ settings }) =>
      settings.consumers.some((one) => one.name === name),
    );
    return {
      name,
      cluster: deployment.name,
      service: name,
      port,
      command: process_.command,
      cwd: process_.cwd ?? process.cwd(),
      // A secret that this run leaves out is a plain variable, as it was before Keyturn.
      environment: { ...leftOut.get(name), ...process_.environment },
      secrets: readers.flatMap((secret) =>
        secret.class
          .bind(secret.settings.options)
          .variables()
          .map((variable) => ({ variable, secret: secret.key, member: variable })),
      ),
      healthPath: healthPathOf(process_),
      instances: process_.instances,
    };
  }
  const known = twin?.consumers[name];
  if (known === undefined || consumer.kind !== 'ecs') {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `consumers.${name} must be a consumer that the stand-in of ${deployment.platform} has (${Object.keys(twin?.consumers ?? {}).join(', ') || 'none'}), or of kind process.`,
      hint: 'For a rehearsal, say how your application is started: { "kind": "process", "command": ["node", "server.js"], "health": "/health" }.',
    });
  }
  const taken = new Set(resolved.secrets.map(({ key }) => key));
  return {
    name,
    cluster: String(consumer.cluster),
    service: String(consumer.service),
    port,
    ...asTasks(known, world, urls),
    // A secret that this run leaves out is a plain variable, as it was before Keyturn.
    environment: { ...known.environment(world, urls), ...plainOf(known.secrets, taken, twin, world) },
    secrets: known.secrets.filter(({ secret }) => taken.has(secret)),
  };
}

export function asTasks(
  known: TwinConsumer,
  world: TwinWorld,
  urls: TwinUrls,
): Pick<StagedConsumer, 'command' | 'cwd' | 'environment' | 'healthPath' | 'instances'> {
  return {
    command: known.command,
    cwd: known.cwd,
    environment: known.environment(world, urls),
    healthPath: known.healthPath,
    instances: known.desiredCount,
  };
}

function plainOf(
  references: StagedConsumer['secrets'],
  taken: ReadonlySet<string>,
  twin: Twin | undefined,
  world: TwinWorld,
): Record<string, string> {
  return Object.fromEntries(
    references
      .filter(({ secret }) => !taken.has(secret))
      .map(({ variable, secret, member }) => [variable, twin?.secrets[secret]?.initial(world)[member] ?? '']),
  );
}

/** The traffic on an application of which only its health is known. */
export function healthBehaviour(consumer: StagedConsumer, secret: string): Behaviour {
  return {
    name: `health of ${consumer.name}`,
    secret,
    clients: 2,
    pause: 80,
    client: (session) => async () => {
      await session.send({ method: 'GET', path: consumer.healthPath }, () => ({}));
    },
  };
}
