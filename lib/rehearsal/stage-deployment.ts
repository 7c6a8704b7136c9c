/**
 * A deployment file made ready for one machine: the same file, with its addresses on loopback and its
 * consumers run as processes. What is synthesised from it is the real stack.
 */
import type { Deployment } from '../../lambdas/contract/deployment.ts';
import type { Engine } from '../../lambdas/contract/target.ts';
import { type ResolvedDeployment, type ResolvedSecret, resolveDeployment } from '../deployment/resolve.ts';
import type { Behaviour } from './behaviour.ts';
import type { LoginWanted, RunServers } from './run-server.ts';
import { asTasks, healthBehaviour, type StagedConsumer, stagedConsumer } from './stage-consumer.ts';
import { administratorsOf, ledTo, loginWanted, refuseWithoutServer } from './stage-login.ts';
import { type Here, nameOfCredential, onLoopback } from './stage-loopback.ts';
import { loginsOf, namesIn } from './stage-reencryption.ts';
import { sessionClients } from './twins/session-clients.ts';
import type {
  StoredData,
  Twin,
  TwinDatabase,
  TwinSecret,
  TwinUrls,
  TwinVariables,
  TwinWorld,
} from './twins/twin.ts';

export interface StagedSecret {
  readonly resolved: ResolvedSecret;
  /** How the platform logs in with it; null: it is no login in this run. */
  readonly login: TwinDatabase | null;
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
  /** What the run's servers must have before the platform starts. */
  readonly logins: readonly LoginWanted[];
}

export interface Staging {
  readonly world: TwinWorld;
  /** Those that the run has. */
  readonly servers: RunServers<'ca' | 'server'>;
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
  refuseWithoutServer(resolved.secrets, staging.servers);
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
        login: rehearsed(secret) ? ledTo(secret.key, twinOf(deployment, twin)) : null,
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
  const loggingIn = resolved.secrets.filter(rehearsed);
  const logins = loggingIn.map((secret) => loginWanted(secret, twinOf(deployment, twin), staging.world));
  const sessions = loggingIn.flatMap(({ key, settings }) =>
    sessionClients(
      key,
      settings.consumers.map(({ name }) => name),
      ledTo(key, twin)?.path ?? '/sessions',
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
  };
}

/** Whether it is a login at a server. */
function rehearsed(secret: ResolvedSecret): secret is ResolvedSecret & { readonly engine: Engine } {
  return secret.engine !== null;
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
    const known = knownSecret(deployment, secret.key, twin, staging.world);
    // Nobody can make up a login at a server.
    if (keys.includes(secret.key) || (known === undefined && secret.engine !== null)) continue;
    const first = known?.initial(staging.world) ?? (await staging.firstValue(secret));
    for (const { name } of secret.settings.consumers) values.set(name, { ...values.get(name), ...first });
  }
  return values;
}

/** A file whose consumers are all processes has the platform's rules and none of its stand-in. */
function usesTwin(deployment: Deployment): boolean {
  return Object.values(deployment.consumers).some(({ kind }) => kind !== 'process');
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
