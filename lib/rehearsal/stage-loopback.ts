/** A deployment file with its addresses on loopback, and its secrets under names of this machine's. */
import { catalogOf } from '../../lambdas/catalog/platforms.ts';
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { RunServers } from './run-server.ts';
import { engineOf, loginHere } from './stage-login.ts';
import { reencryptHere } from './stage-reencryption.ts';
import type { Twin, TwinUrls, TwinWorld } from './twins/twin.ts';

/** What of a run its addresses depend on. */
export interface LoopbackWorld {
  readonly world: TwinWorld;
  readonly servers: RunServers<'ca' | 'server'>;
}

/** Where the platform answers on this machine. */
export interface Here {
  /** Of the consumer that answers at the platform's address. */
  readonly url: string;
  /** By the consumer's name. */
  readonly urls: TwinUrls;
}

/** The same deployment on one machine. */
export function onLoopback(
  deployment: Deployment,
  keys: readonly string[],
  { url, urls }: Here,
  twin: Twin | undefined,
  { world, servers }: LoopbackWorld,
): Deployment {
  const catalog = catalogOf(deployment.platform);
  const secrets = Object.entries(deployment.secrets)
    .filter(([key]) => keys.includes(key))
    .map(([key, secret]): [string, DeploymentSecret] => {
      const probeUrl = twin?.secrets[key]?.probeUrl(world) ?? null;
      const probe = secret.probe === undefined ? catalog.secrets[key]?.probe : secret.probe;
      const engine = engineOf(deployment.platform, key, secret);
      const server = engine === null ? undefined : servers[engine];
      return [
        key,
        {
          ...secret,
          source: onThisMachine(secret.source),
          ...(secret.reencrypt === undefined
            ? {}
            : {
                reencrypt: secret.reencrypt.map((hook) =>
                  reencryptHere(hook, { url, databaseCa: servers.postgres?.ca ?? null }),
                ),
              }),
          ...(server !== undefined
            ? { options: loginHere({ ...catalog.secrets[key]?.options, ...secret.options }, server) }
            : {}),
          ...(secret.instances === undefined ? {} : { instances: instancesHere(secret.instances, url) }),
          ...(probeUrl === null || probe === null || probe === undefined
            ? {}
            : { probe: { ...probe, url: probeUrl } }),
        },
      ];
    });
  const consumers = Object.entries(deployment.consumers).map(([name, consumer]) => [
    name,
    consumer.kind === 'process' ? { kind: 'ecs', cluster: deployment.name, service: name } : consumer,
  ]);
  const { network, ...everywhere } = deployment;
  const whole = keys.length === Object.keys(deployment.secrets).length;
  return {
    ...everywhere,
    // A part of the secrets may have no function that logs in to a server: then a network is refused.
    ...(whole && network !== undefined ? { network } : {}),
    url,
    urls: Object.fromEntries(Object.keys(deployment.urls).map((name) => [name, addressOf(name, urls)])),
    secrets: Object.fromEntries(secrets),
    consumers: Object.fromEntries(consumers),
  };
}

/** The platform's API answers here, and its credential has the same name, without another account's ARN. */
function instancesHere(
  instances: NonNullable<DeploymentSecret['instances']>,
  url: string,
): NonNullable<DeploymentSecret['instances']> {
  const { credential } = instances;
  if (typeof credential !== 'object' || credential === null) return { ...instances, url };
  const secret = nameOfCredential(credential);
  return { ...instances, url, credential: { ...credential, ...(secret === null ? {} : { secret }) } };
}

export function nameOfCredential(credential: object): string | null {
  const secret: unknown = Reflect.get(credential, 'secret');
  if (typeof secret !== 'string') return null;
  return secret.startsWith('arn:') ? (secret.split(':').at(-1) ?? '').slice(0, -7) : secret;
}

function addressOf(name: string, urls: TwinUrls): string {
  const address = urls[name];
  if (address !== undefined) return address;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `urls.${name} must be the name of a consumer (${Object.keys(urls).join(', ')}), so that a rehearsal knows where to send its probes.`,
  });
}

/** An imported secret is made here under its name: another account's ARN cannot be had, nor its key. */
function onThisMachine(source: DeploymentSecret['source']): DeploymentSecret['source'] {
  if ('create' in source) return source;
  const name =
    'arn' in source.import ? (source.import.arn.split(':').at(-1) ?? '').slice(0, -7) : source.import.name;
  return { import: { name } };
}
