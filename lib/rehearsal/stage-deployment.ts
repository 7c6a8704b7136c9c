/**
 * A deployment file made ready for one machine: the same file, with its addresses on loopback and its
 * consumers run as processes. What is synthesised from it is the real stack.
 */
import { catalogOf } from '../../lambdas/catalog/platforms.ts';
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { type ResolvedDeployment, type ResolvedSecret, resolveDeployment } from '../deployment/resolve.ts';
import type { Behaviour } from './behaviour.ts';
import { healthPathOf, parseProcessConsumer } from './process-consumer.ts';
import type { LoginWanted, RunDatabase } from './run-database.ts';
import { administratorsOf, isDatabaseLogin, loginHere, loginWanted } from './stage-login.ts';
import { loginsOf, namesIn, reencryptHere } from './stage-reencryption.ts';
import { sessionClients } from './twins/session-clients.ts';
import type {
  StoredData,
  Twin,
  TwinConsumer,
  TwinDatabase,
  TwinSecret,
  TwinUrls,
  TwinVariables,
  TwinWorld,
} from './twins/twin.ts';

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

export interface StagedSecret {
  readonly resolved: ResolvedSecret;
  readonly initial: TwinVariables;
  /** What a person does for values that only a person can get; null for the others. */
  readonly person: { supply(round: number): TwinVariables; revoke(variables: TwinVariables): void } | null;
  /** True where the deployment imports it: it is there before the stack. */
  readonly imported: boolean;
}

export interface StagedDeployment {
  readonly resolved: ResolvedDeployment;
  readonly url: string;
  /** Addresses of the consumers and of what runs beside them, by name. */
  readonly urls: TwinUrls;
  /** What runs beside the consumers: started before them. */
  readonly companions: readonly StagedConsumer[];
  /** Secrets that hooks read, by name: there before the stack. */
  readonly credentials: ReadonlyMap<string, TwinVariables>;
  /** A person repairs the instances that do not come up; null: there are none, or all come up. */
  readonly heal: (() => Promise<void>) | null;
  readonly consumers: readonly StagedConsumer[];
  readonly secrets: readonly StagedSecret[];
  readonly behaviours: readonly Behaviour[];
  /** What the platform stores encrypted; null: nothing, or nobody looks at it in this run. */
  readonly stored: StoredData | null;
  /** What the run's database must have before the platform starts. */
  readonly logins: readonly LoginWanted[];
  /** How the platform reads its login; null: it has none in this run. */
  readonly database: TwinDatabase | null;
}

export interface Staging {
  readonly world: TwinWorld;
  /** The run's PostgreSQL; null: there is none. */
  readonly database: Pick<RunDatabase, 'ca' | 'server'> | null;
  readonly twins: ReadonlyMap<string, Twin>;
  /** A port on loopback that is free now. */
  freePort(): Promise<number>;
  /** The first value of a secret that no twin knows. */
  firstValue(secret: ResolvedSecret): Promise<TwinVariables>;
  /** What a person gets for it from its provider the next time. @param round 1 or more */
  nextValue(secret: ResolvedSecret, round: number): TwinVariables;
}

/**
 * @param keys the secrets to rehearse.
 * @throws KeyturnError DeploymentInvalid when the file cannot be rehearsed, in one sentence.
 */
export async function stageDeployment(
  deployment: Deployment,
  keys: readonly string[],
  staging: Staging,
): Promise<StagedDeployment> {
  const twin = staging.twins.get(deployment.platform);
  const ports = new Map<string, number>();
  const beside = usesTwin(deployment) ? (twin?.companions ?? {}) : {};
  for (const name of [...Object.keys(deployment.consumers), ...Object.keys(beside)]) {
    ports.set(name, await staging.freePort());
  }
  const urls = Object.fromEntries([...ports].map(([name, port]) => [name, `http://127.0.0.1:${port}`]));
  // The first consumer is the one that answers at the platform's address.
  const url = Object.values(urls)[0] ?? `http://127.0.0.1:${await staging.freePort()}`;
  const here = { url, urls };
  const resolved = resolveDeployment(onLoopback(deployment, keys, here, twin, staging));
  const leftOut = await firstValuesOf(deployment, keys, here, twin, staging);
  const ground = { deployment, resolved, ports, urls, twin, world: staging.world, leftOut };
  const consumers = Object.entries(deployment.consumers).map(([name, consumer]) =>
    stagedConsumer(name, consumer, ground),
  );
  const companions = Object.entries(beside).map(([name, known]) => ({
    name,
    cluster: deployment.name,
    service: name,
    port: ports.get(name) ?? 0,
    secrets: known.secrets,
    ...asTasks(known, staging.world, urls),
  }));
  const secrets = await Promise.all(
    resolved.secrets.map(async (secret): Promise<StagedSecret> => {
      const known = knownSecret(deployment, secret.key, twin, staging.world);
      const supplied = known?.supplied ?? (known === undefined ? providerOf(secret, staging) : null);
      return {
        resolved: secret,
        initial: known === undefined ? await staging.firstValue(secret) : known.initial(staging.world),
        person:
          supplied === null
            ? null
            : {
                supply: (round) => supplied.supply(staging.world, round),
                revoke: (variables) => supplied.revoke(staging.world, variables),
              },
        imported: 'import' in (deployment.secrets[secret.key]?.source ?? {}),
      };
    }),
  );
  const moves = resolved.secrets.some(({ reencryptions }) => reencryptions.length > 0);
  const stored = usesTwin(deployment) && moves ? (twin?.stored?.(staging.world) ?? null) : null;
  const loggingIn = resolved.secrets.filter(({ engine }) => engine === 'postgres');
  const logins = loggingIn.map((secret) => loginWanted(secret, twinOf(deployment, twin), staging.world));
  const sessions = loggingIn.flatMap(({ key, settings }) =>
    sessionClients(
      key,
      settings.consumers.map(({ name }) => name),
    ),
  );
  const behaviours = usesTwin(deployment)
    ? [...(twin?.behaviours ?? []), ...(stored?.behaviours ?? []), ...sessions].filter(({ secret }) =>
        resolved.secrets.some(({ key }) => key === secret),
      )
    : consumers.map((consumer) => healthBehaviour(consumer, resolved.secrets[0]?.key ?? ''));
  const heal = usesTwin(deployment) ? twin?.heal?.bind(twin) : undefined;
  return {
    resolved,
    url,
    urls,
    companions,
    credentials: new Map([
      ...credentialsOf(deployment, twin, staging.world),
      ...loginsOf(deployment, staging.world),
      ...administratorsOf(deployment, staging.world),
    ]),
    heal: heal === undefined ? null : () => heal({ urls }),
    consumers,
    secrets,
    behaviours,
    stored,
    logins,
    database: logins.length === 0 ? null : (twin?.database ?? null),
  };
}

function twinOf(deployment: Deployment, twin: Twin | undefined): Twin | undefined {
  return usesTwin(deployment) ? twin : undefined;
}

/**
 * What the platform's stand-in knows of a secret. Of a team's own application it knows nothing, except where a
 * provider of the platform issues and probes the value: that provider has its stand-in here too.
 */
function knownSecret(
  deployment: Deployment,
  key: string,
  twin: Twin | undefined,
  world: TwinWorld,
): TwinSecret | undefined {
  const secret = twin?.secrets[key];
  if (secret === undefined || usesTwin(deployment)) return secret;
  return secret.probeUrl(world) === null ? undefined : secret;
}

/** An application's own provider: it hands out new keys, and the application alone knows when one is dead. */
function providerOf(secret: ResolvedSecret, { nextValue }: Staging): TwinSecret['supplied'] {
  if (!secret.class.supplied) return null;
  return { supply: (_world, round) => nextValue(secret, round), revoke() {} };
}

/** Of the secrets that this run leaves out: what each consumer of kind process finds in its environment. */
async function firstValuesOf(
  deployment: Deployment,
  keys: readonly string[],
  here: Here,
  twin: Twin | undefined,
  staging: Staging,
): Promise<ReadonlyMap<string, TwinVariables>> {
  const all = resolveDeployment(onLoopback(deployment, Object.keys(deployment.secrets), here, twin, staging));
  const values = new Map<string, TwinVariables>();
  for (const secret of all.secrets) {
    if (keys.includes(secret.key)) continue;
    const known = knownSecret(deployment, secret.key, twin, staging.world);
    const first = known?.initial(staging.world) ?? (await staging.firstValue(secret));
    for (const { name } of secret.settings.consumers) values.set(name, { ...values.get(name), ...first });
  }
  return values;
}

/** Where the platform answers on this machine. */
type Here = Pick<StagedDeployment, 'url' | 'urls'>;

/** The same deployment on one machine. */
function onLoopback(
  deployment: Deployment,
  keys: readonly string[],
  { url, urls }: Here,
  twin: Twin | undefined,
  { world, database }: Staging,
): Deployment {
  const catalog = catalogOf(deployment.platform);
  const secrets = Object.entries(deployment.secrets)
    .filter(([key]) => keys.includes(key))
    .map(([key, secret]): [string, DeploymentSecret] => {
      const probeUrl = twin?.secrets[key]?.probeUrl(world) ?? null;
      const probe = secret.probe === undefined ? catalog.secrets[key]?.probe : secret.probe;
      return [
        key,
        {
          ...secret,
          source: onThisMachine(secret.source),
          ...(secret.reencrypt === undefined
            ? {}
            : {
                reencrypt: secret.reencrypt.map((hook) =>
                  reencryptHere(hook, { url, databaseCa: database?.ca ?? null }),
                ),
              }),
          ...(database !== null && isDatabaseLogin(deployment.platform, key, secret)
            ? { options: loginHere({ ...catalog.secrets[key]?.options, ...secret.options }, database) }
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
  return {
    ...deployment,
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

function nameOfCredential(credential: object): string | null {
  const secret: unknown = Reflect.get(credential, 'secret');
  if (typeof secret !== 'string') return null;
  return secret.startsWith('arn:') ? (secret.split(':').at(-1) ?? '').slice(0, -7) : secret;
}

/** What the stand-in knows of the credentials that the deployment names. */
function credentialsOf(
  deployment: Deployment,
  twin: Twin | undefined,
  world: TwinWorld,
): ReadonlyMap<string, TwinVariables> {
  const named = Object.values(deployment.secrets).flatMap(({ instances, reencrypt = [] }) => {
    const credential = instances?.credential;
    return [
      ...(typeof credential === 'object' && credential !== null ? [nameOfCredential(credential)] : []),
      ...reencrypt.flatMap(namesIn),
    ];
  });
  return new Map(
    Object.entries(twin?.credentials ?? {})
      .filter(([name]) => named.includes(name))
      .map(([name, variables]) => [name, variables(world)]),
  );
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

/** What every consumer is staged with. */
interface Ground {
  readonly deployment: Deployment;
  readonly resolved: ResolvedDeployment;
  readonly ports: ReadonlyMap<string, number>;
  readonly urls: TwinUrls;
  readonly twin: Twin | undefined;
  readonly world: TwinWorld;
  readonly leftOut: ReadonlyMap<string, TwinVariables>;
}

function stagedConsumer(
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

function asTasks(
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

/** A file whose consumers are all processes has the platform's rules and none of its stand-in. */
function usesTwin(deployment: Deployment): boolean {
  return Object.values(deployment.consumers).some(({ kind }) => kind !== 'process');
}

/** The traffic on an application of which only its health is known. */
function healthBehaviour(consumer: StagedConsumer, secret: string): Behaviour {
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
