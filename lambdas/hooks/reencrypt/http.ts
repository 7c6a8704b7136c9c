import type { Credential } from '../../contract/credential.ts';
import { keyStatements } from '../../contract/credential.ts';
import { KeyturnError } from '../../contract/errors.ts';
import {
  defineReencrypt,
  listed,
  type ReencryptPorts,
  type SetAside,
  type Slice,
  type SliceReport,
  type TargetCount,
} from '../../contract/reencryption.ts';
import { hostOf, urlBreaks } from '../allowed-url.ts';
import { readingOf, type Told, toldBy } from './http-answer.ts';
import { type Calls, callsOf, type ReencryptHttp } from './http-calls.ts';
import { HttpReencryption } from './http-members.ts';
import { added, cursorOf, type Progress, progressOf, targetsOf } from './http-progress.ts';

/**
 * A platform that moves its data itself when it is called. The call is repeated, for each tenant, until the rules
 * of completion hold; an answer that cannot be read as declared never counts as completion.
 *
 * A tenant whose calls are used up is done as well if the answer names every datum that is left: these are set
 * aside, and keep the key from being retired until a person has acknowledged each of them.
 *
 * The count makes the declared dry run for every tenant. Without one it makes the call itself once more, which
 * moves nothing when nothing is left.
 */
export const hook = defineReencrypt<HttpReencryption, ReencryptHttp>({
  kind: 'http',
  hook: HttpReencryption,

  check(hook) {
    const urls: [string, string][] = [
      ['url', hook.url],
      ...(hook.auth !== undefined && 'login' in hook.auth
        ? [['auth.login.url', hook.auth.login.url] satisfies [string, string]]
        : []),
    ];
    const broken = urls
      .map(([field, url]) => urlBreaks(field, url, hook.allowPrivate))
      .find((one) => one !== null);
    return (
      broken ?? headersBreak(hook) ?? tenantsBreak(hook) ?? ownCredentialBreaks(hook) ?? countsBreak(hook)
    );
  },

  statements: (hook) => keyStatements(credentialsOf(hook)),
  credentials: (hook) => [...new Set(credentialsOf(hook).map(({ secret }) => secret))],

  async run(hook, slice, http, ports) {
    if (slice.dryRun && hook.dryRun === undefined) {
      throw new KeyturnError({
        code: 'ReencryptionFailed',
        message: 'A re-encryption by HTTP can tell what it would move only with dryRun declared; it is not.',
      });
    }
    const calls = callsOf(hook, http, ports);
    return slice.dryRun
      ? overTenants(hook, slice, calls, ports, counted(hook, calls, ports))
      : overTenants(hook, slice, calls, ports, moved(hook, calls, ports));
  },

  async count(hook, slice, http, ports) {
    const calls = callsOf(hook, http, ports);
    return overTenants(hook, slice, calls, ports, counted(hook, calls, ports));
  },
});

/** How it went with a tenant. */
interface Outcome {
  /** False: the time is short, and the tenant is gone on with in the next slice. */
  readonly done: boolean;
  readonly counts: readonly TargetCount[];
  readonly setAside: readonly SetAside[];
  /** Calls that were made, over all slices. */
  readonly calls: number;
}

type Work = (tenant: string | null, calls: number) => Promise<Outcome>;

async function overTenants(
  hook: HttpReencryption,
  slice: Slice,
  { tenants }: Calls,
  ports: ReencryptPorts,
  work: Work,
): Promise<SliceReport> {
  let progress: Progress = progressOf(slice.cursor);
  const { after } = progress;
  const setAside: SetAside[] = [];
  let finished = 0;
  const report = (done: boolean, extra: Progress['counts'] = progress.counts): SliceReport => ({
    finished: done,
    cursor: done ? null : cursorOf(progress),
    targets: targetsOf(extra),
    setAside: listed(setAside, slice),
  });

  for (const tenant of await tenants()) {
    if (after !== null && tenant !== null && tenant <= after) continue;
    if (finished > 0 && isShort(hook, ports)) return report(false);
    let outcome: Outcome;
    try {
      outcome = await work(tenant, progress.calls);
    } catch (error) {
      // What was reached in this slice is kept; the next one meets the same tenant first.
      if (finished === 0 || !(error instanceof KeyturnError) || !error.retryable) throw error;
      progress = { ...progress, calls: 0 };
      return report(false);
    }
    setAside.push(...outcome.setAside);
    if (!outcome.done) {
      const extra = added(progress.counts, outcome.counts);
      const movedOnly = outcome.counts.map((count) => ({ ...count, total: 0, left: 0, poisoned: 0 }));
      progress = { ...progress, calls: outcome.calls, counts: added(progress.counts, movedOnly) };
      return report(false, extra);
    }
    progress = { after: tenant, calls: 0, counts: added(progress.counts, outcome.counts) };
    finished += 1;
    ports.progress(report(false));
  }
  return report(true);
}

/** Calls until the rules hold, the calls are used up, or the time is short. */
function moved(hook: HttpReencryption, calls: Calls, ports: ReencryptPorts): Work {
  return async (tenant, before) => {
    let latest: Told | null = null;
    let failure: KeyturnError | null = null;
    const sums = new Map<string, number>();
    const outcome = (done: boolean, made: number): Outcome => ({
      done,
      counts: (latest?.counts ?? []).map((count) => ({ ...count, moved: sums.get(count.target) ?? 0 })),
      setAside: done ? (latest?.setAside ?? []) : [],
      calls: made,
    });
    if (before === 0 && hook.dryRun?.first === true) {
      await tried(hook, ports, () => told(hook, calls, tenant, true));
    }
    for (let made = before; made < hook.calls; made += 1) {
      if (made > before) {
        await ports.clock.sleep(hook.pauseSeconds * 1000);
        if (isShort(hook, ports)) return outcome(false, made);
      }
      try {
        latest = await told(hook, calls, tenant, false);
        failure = null;
      } catch (error) {
        if (!(error instanceof KeyturnError) || !error.retryable) throw error;
        failure = error;
        continue;
      }
      for (const count of latest.counts) sums.set(count.target, (sums.get(count.target) ?? 0) + count.moved);
      if (latest.complete) return outcome(true, made + 1);
    }
    if (failure === null && latest !== null && isAllListed(latest)) return outcome(true, hook.calls);
    throw failure ?? incomplete(hook, tenant);
  };
}

/** One call that moves nothing, or nothing more. */
function counted(hook: HttpReencryption, calls: Calls, ports: ReencryptPorts): Work {
  const dry = hook.dryRun !== undefined;
  return async (tenant) => {
    const { counts, setAside } = await tried(hook, ports, () => told(hook, calls, tenant, dry));
    return { done: true, counts, setAside, calls: 1 };
  };
}

async function tried<T>(hook: HttpReencryption, ports: ReencryptPorts, work: () => Promise<T>): Promise<T> {
  for (let made = 1; ; made += 1) {
    try {
      return await work();
    } catch (error) {
      const again = error instanceof KeyturnError && error.retryable && made < hook.calls;
      if (!again || isShort(hook, ports)) throw error;
      await ports.clock.sleep(hook.pauseSeconds * 1000);
    }
  }
}

async function told(
  hook: HttpReencryption,
  calls: Calls,
  tenant: string | null,
  dry: boolean,
): Promise<Told> {
  const answer = await calls.move(tenant, dry);
  return toldBy(answer, readingOf(hook, targetOf(hook), tenant, dry));
}

function isAllListed({ counts, listed }: Told): boolean {
  return counts.reduce((sum, { left }) => sum + left, 0) <= listed;
}

/** Whether a call might not end within this slice. */
function isShort({ timeoutSeconds }: HttpReencryption, { remaining }: ReencryptPorts): boolean {
  return remaining() < timeoutSeconds * 1000;
}

function targetOf({ target, url }: HttpReencryption): string {
  return target ?? hostOf(url).slice(0, 40);
}

function credentialsOf({ auth }: HttpReencryption): readonly Credential[] {
  if (auth === undefined) return [];
  if ('credential' in auth) return [auth.credential];
  return Object.values(auth.login.body).flatMap((value) => (typeof value === 'string' ? [] : [value]));
}

/** A list of tenants that is asked for first has no tenant whose credential could be sent. */
function ownCredentialBreaks({ auth, tenants }: HttpReencryption): string | null {
  if (auth === undefined || !('credential' in auth) || auth.credential.member !== '{tenant}') return null;
  return Array.isArray(tenants)
    ? null
    : 'auth.credential.member may be {tenant} only where tenants is a list of names; it is not.';
}

/** Headers that carry credentials, or that say how the request itself is sent. */
const notGiven = [
  'authorization',
  'connection',
  'content-length',
  'cookie',
  'accept-encoding',
  'host',
  'proxy-authorization',
  'transfer-encoding',
];

function headersBreak({ headers, dryRun }: HttpReencryption): string | null {
  const wrong = [...Object.keys(headers), ...Object.keys(dryRun?.headers ?? {})].find((name) =>
    notGiven.includes(name),
  );
  return wrong === undefined ? null : `headers must not have ${wrong}: credentials belong into auth.`;
}

function tenantsBreak({ url, headers, body, tenants, dryRun }: HttpReencryption): string | null {
  const placeholder = '{tenant}';
  if (
    new URL(url.replaceAll(placeholder, 'tenant')).origin !==
    new URL(url.replaceAll(placeholder, 'other')).origin
  ) {
    return `url must have ${placeholder} in its path or query only; received "${url}".`;
  }
  const used = JSON.stringify([url, headers, body ?? null, dryRun ?? null]).includes(placeholder);
  if (used === (tenants !== undefined)) return null;
  return used
    ? `tenants must say what ${placeholder} stands for; it is missing.`
    : `${placeholder} must stand in url, headers or body when there are tenants; it does not.`;
}

function countsBreak({ method, body, dryRun, report }: HttpReencryption): string | null {
  if (method === 'GET' && (body !== undefined || dryRun?.body !== undefined)) {
    return 'body must be left out with method GET.';
  }
  const same = dryRun !== undefined && dryRun.body === undefined && Object.keys(dryRun.headers).length === 0;
  if (same) return 'dryRun must have body or headers that differ from the real call; it has neither.';
  if (
    report?.setAside?.in === 'answer' &&
    report.stores !== undefined &&
    report.setAside.store === undefined
  ) {
    return 'report.setAside.store must say which store an item is of, since the list is of all; it is missing.';
  }
  return null;
}

function incomplete({ calls, complete, url }: HttpReencryption, tenant: string | null): KeyturnError {
  const pointers = complete.map(({ pointer }) => pointer).join(', ');
  const of = tenant === null ? '' : ` for the tenant ${tenant}`;
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message: `${hostOf(url)} must say within ${calls} calls${of} that nothing is left to move (${pointers}); it does not.`,
    hint: 'See in the platform’s own log what it cannot move.',
    retryable: true,
  });
}
