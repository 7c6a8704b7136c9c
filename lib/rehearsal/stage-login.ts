/** The logins of a deployment file at servers, on one machine: the run's own servers, and who prepares their users. */
import * as z from 'zod/mini';
import { catalogOf } from '../../lambdas/catalog/platforms.ts';
import { classOf } from '../../lambdas/classes/registry.ts';
import { Credential } from '../../lambdas/contract/credential.ts';
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { Engine } from '../../lambdas/contract/target.ts';
import type { ResolvedSecret } from '../deployment/resolve.ts';
import type { LoginWanted, RunServer, RunServers } from './run-server.ts';
import { nameOf, withNames } from './stage-reencryption.ts';
import type { Seeded } from './twins/seeded.ts';
import type { DatabaseLogin, Twin, TwinDatabase, TwinVariables, TwinWorld } from './twins/twin.ts';

/** What of the options says who prepares users, with a name that stands in the file. */
const Admin = z.object({ admin: z.object({ user: z.string(), password: Credential }) });

/** At what a secret of the file is a login; null: at nothing. */
export function engineOf(platform: string, key: string, secret: DeploymentSecret | undefined): Engine | null {
  const known = catalogOf(platform).secrets[key];
  const declared = classOf(secret?.class ?? known?.class ?? '');
  return declared?.engine({ ...known?.options, ...secret?.options }) ?? null;
}

const missing: Readonly<Record<Engine, string>> = {
  postgres: 'a PostgreSQL, and this run has none',
  mysql: 'a MySQL or MariaDB, which a rehearsal does not run',
  redis: 'a Redis, and there is no redis-server on this machine',
};

/** @throws KeyturnError DeploymentInvalid for a login at a server that the run does not have: none may lead to another. */
export function refuseWithoutServer(
  secrets: readonly Pick<ResolvedSecret, 'key' | 'engine'>[],
  servers: RunServers<'ca' | 'server'>,
): void {
  for (const { key, engine } of secrets) {
    if (engine === null || servers[engine] !== undefined) continue;
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `secrets.${key} is a login at ${missing[engine]}.`,
      hint: 'Rehearse the other secrets, by --secret.',
    });
  }
}

/**
 * The options with the run's server in place of the deployment's: users are its own, so ElastiCache's user API, where the
 * deployment names it, has no part in a rehearsal.
 */
export function loginHere(
  options: DeploymentSecret['options'],
  { ca, server }: Pick<RunServer, 'ca' | 'server'>,
): NonNullable<DeploymentSecret['options']> {
  const { elasticache: _left, ...kept } = options ?? {};
  const { fixed } = kept;
  return {
    ...(withNames(kept) as object),
    tls: { authorities: { pem: ca } },
    ...(typeof fixed === 'object' && fixed !== null
      ? { fixed: { ...fixed, host: server.host, port: server.port } }
      : {}),
  };
}

/** The secrets from which the administrators of a deployment's users are read, by name. */
export function administratorsOf({ secrets }: Deployment, { seeded }: TwinWorld): Map<string, TwinVariables> {
  return new Map(
    Object.values(secrets).flatMap(({ options }): [string, TwinVariables][] => {
      const parsed = Admin.safeParse(options);
      if (!parsed.success) return [];
      const { secret, member } = parsed.data.admin.password;
      return [[nameOf(secret), { [member]: passwordOf(seeded, secret) }]];
    }),
  );
}

/**
 * What the run's server must have before the platform starts.
 *
 * @throws KeyturnError DeploymentInvalid when the stand-in does not log in with this secret.
 */
export function loginWanted(
  { key, engine, settings: { options } }: ResolvedSecret & { readonly engine: Engine },
  twin: Twin | undefined,
  world: TwinWorld,
): LoginWanted {
  const led = ledTo(key, twin);
  const initial = twin?.secrets[key]?.initial(world);
  if (led === null || initial === undefined) {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `secrets.${key} is a login at a server, and the rehearsal knows none that it could lead to.`,
      hint: 'Rehearse it with the consumers of the platform’s stand-in, or leave it out by --secret.',
    });
  }
  return {
    engine,
    login: led.login(initial),
    administrator: administratorIn(options, world),
    databases: led.databases,
  };
}

/** How the platform uses the server that a secret leads to; null: it does not log in with it. */
export function ledTo(key: string, twin: Twin | undefined): TwinDatabase | null {
  return [twin?.database, twin?.redis].find((one) => one?.secret === key) ?? null;
}

function administratorIn(options: unknown, { seeded }: TwinWorld): DatabaseLogin | null {
  const parsed = Admin.safeParse(options);
  if (!parsed.success) return null;
  const { user, password } = parsed.data.admin;
  return { user, password: passwordOf(seeded, password.secret) };
}

function passwordOf(seeded: Seeded, secret: string): string {
  return seeded.bytes(`administrator in ${nameOf(secret)}`, 24).toString('base64url');
}
