import { defineFleet } from '../../contract/fleet-hooks.ts';
import type { HttpResponse } from '../../contract/ports.ts';
import { atPointer, parsedJson } from '../json-pointer.ts';
import { addressBreaks } from '../probe/address.ts';
import { fits } from '../probe/answer.ts';
import { probeKinds } from '../probe/kinds.ts';
import { type Credential, Fleet } from './fleet.ts';
import { listed } from './list.ts';
import { asked, notRenewed } from './patience.ts';

/** One call, authorised by the credential: its value is read where the call is made. */
export interface InstancesCall {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly credential: Credential;
}

/** The platform's API as this hook needs it. */
export interface InstancesApi {
  /** Follows no redirect. @throws KeyturnError ProbeInconclusive (retryable) when no complete answer came in time. */
  send(call: InstancesCall): Promise<HttpResponse>;
}

/**
 * A platform that lists its instances over HTTP, redeploys one by a POST, and tells how it is. Everything that is
 * the platform's own (paths, pages, states) is in the deployment file.
 */
export const hook = defineFleet<Fleet, InstancesApi>({
  kind: 'http',
  fleet: Fleet,

  check(fleet) {
    const probe = tokenProbe(fleet, 'an-instance');
    const bound = probe === null ? null : probeKinds.get(probe.kind)?.bind(probe);
    if (probe !== null && bound === undefined) {
      return `instances.token.kind must be one of ${[...probeKinds.keys()].join(', ')}; received "${probe.kind}".`;
    }
    if (bound?.ok === false) return `instances.token: ${bound.broken[0] ?? 'it breaks a rule.'}`;
    return addressBreaks('instances.url', fleet.url);
  },

  statements: ({ credential }) => [
    { actions: ['secretsmanager:GetSecretValue'], resources: [arnOf(credential.secret)] },
    ...(credential.kmsKey === undefined
      ? []
      : [
          {
            actions: ['kms:Decrypt'],
            resources: [credential.kmsKey],
            conditions: { StringEquals: { 'kms:ViaService': 'secretsmanager.{region}.amazonaws.com' } },
          },
        ]),
  ],

  concurrency: ({ concurrency }) => concurrency ?? null,

  list: (fleet, api, clock) => listed(fleet, api, clock),

  async look(fleet, id, { since }, api, clock) {
    const { status, confirm } = fleet;
    const answer = await asked(api, call(fleet, 'GET', status.path, id), clock, `the state of ${id}`);
    if (answer.status === 404) return { is: 'gone' };
    const state = answer.status === 200 ? atPointer(parsedJson(answer.body), status.state) : undefined;
    if (typeof state !== 'string') throw notRenewed(id, `its state was answered with ${answer.status}`);
    if (status.failed.includes(state)) return { is: 'failed', reason: 'it did not come up' };
    if (status.starting.includes(state)) return { is: 'starting', reason: 'it is still starting' };
    // A state that nobody declared: neither up nor down, so neither confirmed nor redeployed.
    if (!status.up.includes(state))
      return { is: 'starting', reason: 'it is in a state that is not declared' };
    const token = await asked(api, call(fleet, 'GET', confirm.path, id), clock, `the token of ${id}`);
    if (token.status === 404) return { is: 'gone' };
    if (token.status >= 500) throw notRenewed(id, `its token was answered with ${token.status}`);
    const outdated = { is: 'outdated', reason: 'it holds a token from before the version' } as const;
    if (!fits(token, confirm.accepted)) return outdated;
    if (confirm.issuedAt === undefined) return { is: 'renewed' };
    const issuedAt = timeOf(atPointer(parsedJson(token.body), confirm.issuedAt));
    // A token tells whole seconds (RFC 7519 section 2), rounded down.
    return issuedAt !== null && issuedAt + 1_000 > since.getTime() ? { is: 'renewed' } : outdated;
  },

  async begin(fleet, id, api, clock) {
    const answer = await asked(
      api,
      call(fleet, 'POST', fleet.redeploy.path, id),
      clock,
      `a redeploy of ${id}`,
    );
    const begun = (answer.status >= 200 && answer.status <= 299) || answer.status === 409;
    // Gone since: the next look says so.
    if (!begun && answer.status !== 404)
      throw notRenewed(id, `its redeploy was answered with ${answer.status}`);
  },

  async ask(fleet, id, document, ports) {
    const probe = tokenProbe(fleet, id);
    const bound = probe === null ? undefined : probeKinds.get(probe.kind)?.bind(probe);
    return bound?.ok ? bound.hook.ask(document, ports) : null;
  },
});

function call(fleet: Fleet, method: 'GET' | 'POST', path: string, id: string) {
  return { method, url: at(fleet, filled(path, id)), credential: fleet.credential };
}

/** The probe of one instance's tokens: the declared one, with the id filled in and its path at the API's address. */
function tokenProbe(fleet: Fleet, id: string): { readonly kind: string; readonly url?: unknown } | null {
  if (fleet.token === undefined) return null;
  const { kind, ...members } = fleet.token;
  const probe: Record<string, unknown> = Object.fromEntries(
    Object.entries(members).map(([name, value]) => [name, filledIn(value, id)]),
  );
  const { path, ...rest } = probe;
  return typeof path === 'string' && rest.url === undefined
    ? { ...rest, url: at(fleet, path), kind }
    : { ...probe, kind };
}

function filledIn(value: unknown, id: string): unknown {
  if (typeof value === 'string') return filled(value, id);
  if (Array.isArray(value)) return value.map((one) => filledIn(one, id));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filledIn(inner, id)]));
}

function filled(text: string, id: string): string {
  return text.replaceAll('{id}', id);
}

function at({ url }: Fleet, path: string): string {
  return `${url.replace(/\/+$/, '')}${path}`;
}

/** Milliseconds; null when it is no time. */
function timeOf(value: unknown): number | null {
  const time = typeof value === 'number' ? value * 1_000 : Date.parse(String(value));
  return Number.isFinite(time) ? time : null;
}

/** A name stands for the six characters that Secrets Manager adds to it. */
function arnOf(secret: string): string {
  return secret.startsWith('arn:')
    ? secret
    : `arn:{partition}:secretsmanager:{region}:{account}:secret:${secret}-??????`;
}
