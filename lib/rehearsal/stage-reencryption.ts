/** The re-encryptions of a deployment file on one machine: the same hooks, with the run's own database and platform. */
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import type { TwinVariables, TwinWorld } from './twins/twin.ts';

type Hook = NonNullable<DeploymentSecret['reencrypt']>[number];

/** Where things are on this machine. */
interface Here {
  readonly url: string;
  readonly databaseCa: string | null;
}

/**
 * The hook with the secrets that it names by name, since another account's ARN cannot be had here, its database
 * verified by the run's own authority, and its calls sent to the platform's stand-in.
 */
export function reencryptHere(hook: Hook, { url, databaseCa }: Here): Hook {
  const named = withNames(hook) as Hook;
  return {
    ...named,
    ...(databaseCa === null || !('connection' in named) ? {} : { tls: { ca: databaseCa } }),
    ...(typeof named.url === 'string' ? { url: here(named.url, url) } : {}),
    ...(named.auth === undefined ? {} : { auth: authHere(named.auth, url) }),
  };
}

/** A login goes to the stand-in as the calls do. */
function authHere(auth: unknown, url: string): unknown {
  if (typeof auth !== 'object' || auth === null || !('login' in auth)) return auth;
  const login = Object(auth.login);
  return { ...auth, login: { ...login, url: here(String(login.url), url) } };
}

function here(address: string, url: string): string {
  return `${url}${new URL(address).pathname}`;
}

/** The same with every secret named by its name. */
export function withNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNames);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === 'secret' && typeof member === 'string' ? nameOf(member) : withNames(member),
    ]),
  );
}

/** The secrets that a hook names, by name. */
export function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'secret' && typeof member === 'string' ? [nameOf(member)] : namesIn(member),
  );
}

/** @param secret an ARN, or a name */
export function nameOf(secret: string): string {
  return secret.startsWith('arn:') ? (secret.split(':').at(-1) ?? '').slice(0, -7) : secret;
}

/** The secrets with which sweeps log in to the run's database. */
export function loginsOf(
  { platform, secrets }: Deployment,
  { databaseUrl }: TwinWorld,
): ReadonlyMap<string, TwinVariables> {
  const hooks = Object.values(secrets).flatMap(({ reencrypt }) => reencrypt ?? []);
  return new Map(
    hooks.flatMap((hook) => {
      const connection: unknown = hook.connection;
      if (databaseUrl === undefined || typeof connection !== 'object' || connection === null) return [];
      const secret = String(Reflect.get(connection, 'secret'));
      const member = String(Reflect.get(connection, 'member'));
      return [[nameOf(secret), { [member]: databaseUrl(platform) }]];
    }),
  );
}
