/** The logins at databases of a deployment file on one machine: the run's own server, and who prepares its users. */
import * as z from 'zod/mini';
import { catalogOf } from '../../lambdas/catalog/platforms.ts';
import { classOf } from '../../lambdas/classes/registry.ts';
import { Credential } from '../../lambdas/contract/credential.ts';
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ResolvedSecret } from '../deployment/resolve.ts';
import type { LoginWanted, RunDatabase } from './run-database.ts';
import { nameOf, withNames } from './stage-reencryption.ts';
import type { Seeded } from './twins/seeded.ts';
import type { DatabaseLogin, Twin, TwinVariables, TwinWorld } from './twins/twin.ts';

/** What of the options says who prepares users, with a name that stands in the file. */
const Admin = z.object({ admin: z.object({ user: z.string(), password: Credential }) });

/** Whether a secret of the file is a login at a PostgreSQL. */
export function isDatabaseLogin(
  platform: string,
  key: string,
  secret: DeploymentSecret | undefined,
): boolean {
  const known = catalogOf(platform).secrets[key];
  const declared = classOf(secret?.class ?? known?.class ?? '');
  const parsed = { ...known?.options, ...secret?.options };
  return declared?.id === 'database-credential' && (parsed.engine ?? 'postgres') === 'postgres';
}

/** @throws KeyturnError DeploymentInvalid for a login at a Redis: the stand-ins hold no sessions there. */
export function refuseRedis(secrets: readonly Pick<ResolvedSecret, 'key' | 'engine'>[]): void {
  const login = secrets.find(({ engine }) => engine === 'redis');
  if (login === undefined) return;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `secrets.${login.key} is a login at a Redis, which a rehearsal does not run.`,
    hint: 'Rehearse the other secrets, by --secret.',
  });
}

/** The options with the run's server in place of the deployment's. */
export function loginHere(
  options: DeploymentSecret['options'],
  { ca, server }: Pick<RunDatabase, 'ca' | 'server'>,
): NonNullable<DeploymentSecret['options']> {
  const fixed = options?.fixed;
  return {
    ...(withNames(options ?? {}) as object),
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
  { key, settings: { options } }: ResolvedSecret,
  twin: Twin | undefined,
  world: TwinWorld,
): LoginWanted {
  const { database } = twin ?? {};
  const initial = twin?.secrets[key]?.initial(world);
  if (database?.secret !== key || initial === undefined) {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `secrets.${key} is a login at a database, and the rehearsal knows none that it could lead to.`,
      hint: 'Rehearse it with the consumers of the platform’s stand-in, or leave it out by --secret.',
    });
  }
  return {
    login: database.login(initial),
    administrator: administratorIn(options, world),
    databases: database.databases,
  };
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
