/** How the new value gets into the namespace before the pods restart. */
import { parseDocument } from '../../contract/document.ts';
import { KeyturnError } from '../../contract/errors.ts';
import type { Renewing } from '../../contract/hooks.ts';
import type { Clock } from '../../contract/ports.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { ExternalSecretState, ExternalSecretsVersion, Kubernetes, Place } from './api.ts';

/** Milliseconds that a forced refresh may take. The stage has minutes, most of which the pods need. */
const refreshLimit = 120_000;
const refreshPause = 1000;

/**
 * Milliseconds after the publication from which a refresh that nobody forced counts: one that ended earlier
 * may have read Secrets Manager before AWSCURRENT moved.
 */
const refreshMargin = 10_000;

/** The data of a Secret is at most 1 MiB (Kubernetes documentation, "Secrets", "Size limit"). */
const largestSecret = 1024 * 1024;

export interface ExternalSecretSync {
  readonly externalSecret: string;
  readonly apiVersion: ExternalSecretsVersion;
}

/**
 * Has External Secrets read Secrets Manager again and waits for it. Any change of an annotation makes it
 * refresh (External Secrets documentation, "FAQ"), and the status tells which annotations a refresh saw
 * (`syncedResourceVersion`). A refresh that came by itself long enough after the publication will do.
 * @returns the moment from which the Secret holds the value
 * @throws KeyturnError ConsumersNotHealthy when no refresh succeeds within two minutes
 */
export async function refreshed(
  { externalSecret, apiVersion }: ExternalSecretSync,
  place: Place,
  { versionId, since }: Renewing,
  api: Kubernetes,
  clock: Clock,
): Promise<Date> {
  const before = await api.externalSecret(place, apiVersion, externalSecret);
  refuseOnceOnly(before, externalSecret);
  const bySelf = before.ready && before.refreshedAt !== null ? before.refreshedAt : null;
  if (bySelf !== null && bySelf.getTime() >= since.getTime() + refreshMargin) {
    return earlier(bySelf, clock.now());
  }
  // The time makes a change of it in every attempt, so that there always is a refresh to be seen.
  const mark = new Map([['force-sync', `${versionId}.${clock.now().getTime()}`]]);
  const forced = await api.annotateExternalSecret(place, apiVersion, externalSecret, mark);
  const end = clock.now().getTime() + refreshLimit;
  for (;;) {
    const state = await api.externalSecret(place, apiVersion, externalSecret);
    if (isRefreshed(state, since) && state.syncedVersion !== forced.syncedVersion) return clock.now();
    if (clock.now().getTime() + refreshPause > end) {
      throw new KeyturnError({
        code: 'ConsumersNotHealthy',
        message: `The ExternalSecret ${externalSecret} must be refreshed after the version was published; it was not within ${refreshLimit / 1000} s (Ready is ${state.ready ? 'True' : 'not True'}).`,
        hint: `See kubectl describe externalsecret ${externalSecret} -n ${place.namespace}.`,
        retryable: true,
      });
    }
    await clock.sleep(refreshPause);
  }
}

/** What an ExternalSecret still lacks, or null. */
export function lackingRefresh(state: ExternalSecretState, name: string, since: Date): string | null {
  if (isRefreshed(state, since)) return null;
  return state.ready
    ? `the ExternalSecret ${name} has not been refreshed since the version`
    : `the ExternalSecret ${name} is not Ready`;
}

/** Its time has whole seconds. */
function isRefreshed({ ready, refreshedAt }: ExternalSecretState, since: Date): boolean {
  return ready && refreshedAt !== null && refreshedAt.getTime() + 1000 > since.getTime();
}

function refuseOnceOnly({ policy }: ExternalSecretState, name: string): void {
  if (policy !== 'CreatedOnce') return;
  throw new KeyturnError({
    code: 'ConsumersNotHealthy',
    message: `The ExternalSecret ${name} must be refreshed again; its refreshPolicy is CreatedOnce.`,
    hint: 'Set spec.refreshPolicy to Periodic or OnChange.',
  });
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

export interface SecretSync {
  readonly secret: string;
  /** Key of the Secret's data -> variable of the document. */
  readonly keys: Readonly<Record<string, string>>;
}

/**
 * Writes the version's values into the Kubernetes Secret. Writing them twice changes nothing.
 * @returns the moment from which the Secret holds them
 */
export async function patched(
  { secret, keys }: SecretSync,
  place: Place,
  { secretId, versionId }: Renewing,
  api: Kubernetes,
  clock: Clock,
): Promise<Date> {
  const document = parseDocument(
    await api.value(secretId, versionId),
    `the version ${versionId} of the secret`,
  );
  const values = new Map<string, Sensitive>(
    Object.entries(keys).map(([key, variable]) => [key, document.value(variable)]),
  );
  const bytes = [...values.values()].reduce((sum, value) => sum + Buffer.byteLength(value.reveal()), 0);
  if (bytes > largestSecret) {
    throw new KeyturnError({
      code: 'ValueRejected',
      message: `The data of a Kubernetes Secret must be at most ${largestSecret} bytes; ${Object.keys(keys).length} keys of ${secret} are ${bytes}.`,
    });
  }
  await api.patchSecret(place, secret, values);
  return clock.now();
}
