/** Platforms that move their stored data when they are called, each on a port of its own. They keep state. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';
import { guardedHttp } from '../../../../lambdas/adapters/guarded-http.ts';
import { reencryptHttp } from '../../../../lambdas/adapters/reencrypt/http.ts';
import type { KeyRing } from '../../../../lambdas/contract/ciphers.ts';
import type { ReencryptPorts, Slice, SliceReport } from '../../../../lambdas/contract/reencryption.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { hook } from '../../../../lambdas/hooks/reencrypt/http.ts';

/** Stands in credentials and answers for what must never get out. */
export const canary = 'LEAKME';
export const secretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf';
export const adminSecret = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/admin-AbCdEf';

const key = (id: string) => ({ id, text: new Sensitive(`${canary}-${id}`) });
export const ring: KeyRing = { write: key('aaaaaaaaaaaa'), others: [key('bbbbbbbbbbbb')] };
export const slice = (members: Partial<Slice> = {}): Slice => ({
  ring,
  cursor: null,
  dryRun: false,
  secretId,
  versionIds: ['version-of-new', 'version-of-old'],
  ...members,
});

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
}

type Reply = { status?: number; body?: unknown; text?: string; headers?: Record<string, string> };

/** A server that answers by a function over its own state. */
export async function openServer(answer: (asked: Asked) => Reply) {
  const asked: Asked[] = [];
  async function handle(request: IncomingMessage, response: ServerResponse) {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const one = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: text === '' ? {} : JSON.parse(text),
    };
    asked.push(one);
    const { status = 200, body, text: raw, headers = {} } = answer(one);
    response.writeHead(status, headers).end(raw ?? JSON.stringify(body ?? {}));
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Ports on a clock that moves by sleeping only. */
export function portsOf(
  options: { readonly milliseconds?: number; readonly credentials?: Map<string, string> } = {},
) {
  let now = Date.UTC(2026, 10, 21, 3);
  const end = now + (options.milliseconds ?? 800_000);
  const reports: SliceReport[] = [];
  const ports: ReencryptPorts = {
    clock: {
      now: () => new Date(now),
      sleep: async (milliseconds) => {
        now += milliseconds;
      },
    },
    log: vi.fn(),
    credential: async (secret, member) => {
      const value = options.credentials?.get(`${secret} ${member}`);
      if (value === undefined) throw new Error(`no credential ${secret} ${member}`);
      return new Sensitive(value);
    },
    remaining: () => end - now,
    progress: (report) => void reports.push(report),
  };
  return { ports, reports, pass: ports.clock.sleep };
}

export function bound(members: object) {
  const result = hook.connect(reencryptHttp(guardedHttp())).bind({ kind: 'http', ...members });
  if (!result.ok) throw new Error(result.broken.join());
  return result.hook;
}

/**
 * Tessallite, as its document tells: a system administrator logs in, and one call re-writes every stored credential
 * that it can; the others are failures, and move in a later call.
 */
export async function openTessallite(options: {
  readonly rows: number;
  readonly failFirst: number;
  readonly movable?: number;
}) {
  const state = { old: options.rows, calls: 0, logins: 0, tokens: new Set<string>(), outages: 0 };
  const server = await openServer(({ path, headers, body }) => {
    if (path === '/api/v1/auth/login') {
      if (body.email !== 'root@example.com' || body.password !== `${canary}-password`) return { status: 401 };
      state.logins += 1;
      const token = `${canary}-token-${state.logins}`;
      state.tokens.add(token);
      return { body: { data: { access_token: token } } };
    }
    if (path !== '/api/v1/admin/rotate-credentials') return { status: 404 };
    if (!state.tokens.has(String(headers.authorization).replace('Bearer ', ''))) return { status: 401 };
    if (state.outages > 0) {
      state.outages -= 1;
      return { status: 503, text: canary };
    }
    state.calls += 1;
    const failures = Math.max(
      0,
      options.failFirst - (state.calls - 1) * 2,
      options.rows - (options.movable ?? options.rows),
    );
    const rotated = Math.max(0, state.old - failures);
    state.old -= rotated;
    return { body: { rotated, failures: state.old, sample: canary } };
  });
  const members = {
    url: `${server.url}/api/v1/admin/rotate-credentials`,
    auth: {
      login: {
        url: `${server.url}/api/v1/auth/login`,
        body: {
          email: { secret: adminSecret, member: 'EMAIL' },
          password: { secret: adminSecret, member: 'PASSWORD' },
        },
        token: '/data/access_token',
      },
    },
    complete: [{ pointer: '/failures', equals: 0 }],
    report: { moved: '/rotated', left: ['/failures'] },
    target: 'credentials',
  };
  const credentials = new Map([
    [`${adminSecret} EMAIL`, 'root@example.com'],
    [`${adminSecret} PASSWORD`, `${canary}-password`],
  ]);
  return { ...server, state, members, credentials };
}

export interface StoreRow {
  readonly id: string;
  version: number;
  readonly broken?: boolean;
}

/**
 * KaireonAI: one call per tenant, which reports for each store how many rows there are, how many it moved, how many
 * it could not, and lists these. A dry run tells the same and moves nothing.
 */
export async function openKaireon(tenants: Record<string, Record<string, StoreRow[]>>) {
  const state = { perPage: 2, batch: 100 };
  const rotate = (tenant: string, dryRun: boolean) => {
    const stores = Object.entries(tenants[tenant] ?? {}).map(([store, rows]) => {
      const old = rows.filter(({ version }) => version === 1);
      const bad = old.filter(({ broken }) => broken === true);
      const good = old.filter(({ broken }) => broken !== true).slice(0, state.batch);
      if (!dryRun) for (const row of good) row.version = 2;
      const later = old.length - bad.length - good.length;
      return {
        store,
        total: rows.length,
        rotated: good.length,
        errors: bad.length,
        pending: later,
        notRotated: bad.map(({ id }) => ({ id, reason: canary })),
      };
    });
    return { body: { stores } };
  };
  const server = await openServer(({ method, path, headers, body }) => {
    const url = new URL(path, 'http://x');
    if (headers['x-api-key'] !== `${canary}-api-key`) return { status: 403, text: canary };
    if (method === 'GET' && url.pathname === '/api/v1/tenants') {
      const ids = Object.keys(tenants);
      const from = Number(url.searchParams.get('page') ?? '0') * state.perPage;
      const next = from + state.perPage < ids.length ? from / state.perPage + 1 : null;
      return {
        body: {
          data: ids.slice(from, from + state.perPage).map((id) => ({ tenant: { id } })),
          meta: { next },
        },
      };
    }
    if (method === 'POST' && url.pathname === '/api/v1/encryption/rotate') {
      if (headers['x-tenant-id'] !== body.tenantId) return { status: 400 };
      return rotate(String(body.tenantId), body.dryRun === true);
    }
    return { status: 404 };
  });
  const members = {
    url: `${server.url}/api/v1/encryption/rotate`,
    headers: { 'x-tenant-id': '{tenant}' },
    body: { tenantId: '{tenant}', dryRun: false },
    auth: { credential: { secret: adminSecret, member: 'API_KEY' }, header: 'x-api-key', prefix: '' },
    tenants: {
      path: '/api/v1/tenants',
      items: '/data',
      id: '/tenant/id',
      pages: { parameter: 'page', next: '/meta/next' },
    },
    dryRun: {
      first: true,
      body: { dryRun: true },
      complete: [
        { pointer: '/stores/*/rotated', equals: 0 },
        { pointer: '/stores/*/errors', equals: 0 },
      ],
      left: ['/rotated', '/errors', '/pending'],
    },
    complete: [
      { pointer: '/stores/*/errors', equals: 0 },
      { pointer: '/stores/*/pending', equals: 0 },
    ],
    report: {
      stores: '/stores',
      name: '/store',
      total: '/total',
      moved: '/rotated',
      left: ['/errors', '/pending'],
      setAside: { items: '/notRotated', id: '/id' },
    },
    calls: 4,
  };
  const credentials = new Map([[`${adminSecret} API_KEY`, `${canary}-api-key`]]);
  return { ...server, state, tenants, members, credentials };
}
