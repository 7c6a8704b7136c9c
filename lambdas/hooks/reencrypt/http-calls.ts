/** The calls of a re-encryption by HTTP: placeholders, credentials, the list of tenants. */
import { KeyturnError } from '../../contract/errors.ts';
import type { HttpResponse } from '../../contract/ports.ts';
import type { ReencryptPorts } from '../../contract/reencryption.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import { hostOf } from '../allowed-url.ts';
import { atPointer, parsedJson } from '../json-pointer.ts';
import { type Auth, type HttpReencryption, TenantId, type Tenants } from './http-members.ts';

/** One request. Headers and body may hold credentials; the adapter reveals them to the socket only. */
export interface ReencryptRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: ReadonlyMap<string, Sensitive>;
  /** JSON. */
  readonly body?: Sensitive;
  readonly allowPrivate: readonly string[];
  /** Milliseconds for the whole exchange. */
  readonly deadline: number;
}

export interface ReencryptHttp {
  /** Follows no redirect; asks the host of `url` only. Statuses from 200 to 299 and from 400 on are answers. */
  send(request: ReencryptRequest): Promise<HttpResponse>;
}

/** Most tenants of a paged list, and most pages. */
const mostTenants = 10_000;
const mostPages = 1_000;
/** Longest token of a login. */
const longestToken = 16_384;

export interface Calls {
  /** Sorted, each once; [null] where the call is made once for all. */
  tenants(): Promise<readonly (string | null)[]>;
  /** The answer's JSON. @throws KeyturnError without anything of the answer. */
  move(tenant: string | null, dry: boolean): Promise<unknown>;
}

export function callsOf(hook: HttpReencryption, http: ReencryptHttp, ports: ReencryptPorts): Calls {
  /** By the member that was read: one for all, or one for each tenant. */
  const authorised = new Map<string, Promise<ReadonlyMap<string, Sensitive>>>();

  async function asked(request: Request, headers: Headers, tenant: string | null) {
    const whose = hasOwnCredential(hook.auth) ? (tenant ?? '') : '';
    const held = authorised.get(whose) ?? headersOf(hook.auth, tenant);
    authorised.set(whose, held);
    return http.send({ ...request, headers: new Map([...headers, ...(await held)]), ...shared() });
  }

  async function answered(request: Request, headers: Headers, tenant: string | null) {
    const first = await asked(request, headers, tenant);
    if (first.status !== 401 || hook.auth === undefined || !('login' in hook.auth)) {
      return jsonOf(first, request.url);
    }
    // The token of the login has run out, or a restart has forgotten it.
    authorised.clear();
    return jsonOf(await asked(request, headers, tenant), request.url);
  }

  function shared() {
    const most = hook.timeoutSeconds * 1000;
    return {
      allowPrivate: hook.allowPrivate,
      deadline: Math.max(1, Math.min(most, Math.floor(ports.remaining()))),
    };
  }

  async function headersOf(
    auth: Auth | undefined,
    tenant: string | null,
  ): Promise<ReadonlyMap<string, Sensitive>> {
    if (auth === undefined) return new Map();
    const value = 'login' in auth ? await tokenOf(auth.login) : await read(credentialOf(auth, tenant));
    return new Map([[auth.header, new Sensitive(`${auth.prefix}${value.reveal()}`)]]);
  }

  async function tokenOf({
    url,
    body,
    token,
  }: Extract<Auth, { login: unknown }>['login']): Promise<Sensitive> {
    const members = await Promise.all(
      Object.entries(body).map(
        async ([name, value]): Promise<[string, string]> => [
          name,
          typeof value === 'string' ? value : (await read(value)).reveal(),
        ],
      ),
    );
    const text = new Sensitive(JSON.stringify(Object.fromEntries(members)));
    const answer = await http.send({ method: 'POST', url, headers: new Map(), body: text, ...shared() });
    const found = atPointer(jsonOf(answer, url), token);
    if (typeof found === 'string' && found !== '' && found.length <= longestToken)
      return new Sensitive(found);
    throw new KeyturnError({
      code: 'ReencryptionFailed',
      message: `The login at ${hostOf(url)} must answer with a token at ${token}; it does not.`,
      retryable: true,
    });
  }

  function read({ secret, member }: { readonly secret: string; readonly member: string }) {
    return ports.credential(secret, member);
  }

  return {
    tenants: async () =>
      hook.tenants === undefined ? [null] : sorted(await tenantsOf(hook.tenants, hook.url, listed)),

    move(tenant, dry) {
      const members = dry ? { ...hook.body, ...hook.dryRun?.body } : hook.body;
      const headers = { ...hook.headers, ...(dry ? hook.dryRun?.headers : {}) };
      return answered(
        {
          method: hook.method,
          url: filled(hook.url, tenant, encodeURIComponent),
          ...(members === undefined
            ? {}
            : { body: new Sensitive(JSON.stringify(filledIn(members, tenant))) }),
        },
        Object.entries(headers).map(([name, text]) => [name, new Sensitive(filled(text, tenant))]),
        tenant,
      );
    },
  };

  function listed(url: string): Promise<unknown> {
    return answered({ method: 'GET', url }, [], null);
  }
}

type Request = Pick<ReencryptRequest, 'method' | 'url' | 'body'>;

function hasOwnCredential(auth: Auth | undefined): boolean {
  return auth !== undefined && 'credential' in auth && auth.credential.member === '{tenant}';
}

function credentialOf(
  { credential: { secret, member } }: Extract<Auth, { credential: unknown }>,
  tenant: string | null,
): { readonly secret: string; readonly member: string } {
  return { secret, member: member === '{tenant}' ? (tenant ?? '') : member };
}

type Headers = readonly (readonly [string, Sensitive])[];

async function tenantsOf(
  tenants: Tenants,
  url: string,
  listed: (url: string) => Promise<unknown>,
): Promise<readonly string[]> {
  if (!('path' in tenants)) return tenants;
  const { path, items, id, pages } = tenants;
  const first = new URL(path, new URL(url).origin);
  const found: string[] = [];
  let next: string | null = null;
  for (let page = 0; page < mostPages; page += 1) {
    const address = new URL(first);
    if (next !== null && pages !== undefined) address.searchParams.set(pages.parameter, next);
    const answer = await listed(address.href);
    const list = atPointer(answer, items);
    if (!Array.isArray(list)) throw notListed(items);
    found.push(
      ...list.map((item: unknown) => tenantOf(id === undefined ? item : atPointer(item, id), id ?? items)),
    );
    next = pages === undefined ? null : nextOf(atPointer(answer, pages.next), pages.next);
    if (next === null && found.length <= mostTenants) return found;
  }
  throw new KeyturnError({
    code: 'ReencryptionFailed',
    message: `The list of tenants must have at most ${mostTenants} on at most ${mostPages} pages; it has more.`,
  });
}

function tenantOf(value: unknown, pointer: string): string {
  const result = TenantId.safeParse(typeof value === 'number' ? String(value) : value);
  if (result.success) return result.data;
  throw notListed(pointer);
}

function nextOf(value: unknown, pointer: string): string | null {
  if (value === undefined || value === null || value === false || value === '') return null;
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw notListed(pointer);
}

/** By code units: as a cursor compares them. */
function sorted(tenants: readonly string[]): string[] {
  return [...new Set(tenants)].sort((a, b) => (a < b ? -1 : 1));
}

function filledIn(value: unknown, tenant: string | null): unknown {
  if (typeof value === 'string') return filled(value, tenant);
  if (Array.isArray(value)) return value.map((one: unknown) => filledIn(one, tenant));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]: [string, unknown]) => [name, filledIn(inner, tenant)]),
  );
}

function filled(text: string, tenant: string | null, written: (id: string) => string = (id) => id): string {
  return tenant === null ? text : text.replaceAll('{tenant}', () => written(tenant));
}

function jsonOf({ status, body }: HttpResponse, url: string): unknown {
  const host = hostOf(url);
  if (status < 200 || status > 299) {
    // 408, 425 and 429 ask for another try (RFC 9110, RFC 8470, RFC 6585); other statuses below 500 are final.
    const retryable = status >= 500 || [408, 425, 429].includes(status);
    throw new KeyturnError({
      code: retryable ? 'HookUnreachable' : 'HookRefused',
      message: `${host} must answer a re-encryption with a status from 200 to 299; it answered ${status}.`,
      retryable,
    });
  }
  const json = parsedJson(body);
  if (json !== undefined) return json;
  throw new KeyturnError({
    code: 'ReencryptionFailed',
    message: `${host} must answer a re-encryption with JSON; it did not.`,
    retryable: true,
  });
}

function notListed(pointer: string): KeyturnError {
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message: `The list of tenants must have what is declared for ${pointer}; it does not, or it is of another type.`,
    retryable: true,
  });
}
