/**
 * A platform's deployed instances, with their state: each holds the key that the platform signed its token with, and
 * gets a new one only by a redeploy. It speaks the HTTP API that `members` declares.
 */
import type { HttpResponse } from '../../lambdas/contract/ports.ts';
import type { InstancesApi, InstancesCall } from '../../lambdas/hooks/instances/http.ts';

const url = 'https://shop.example.com';

/** What a deployment file says of it, but for the probe of its tokens. */
export const members = {
  kind: 'http',
  url,
  credential: { secret: 'shop/api-token' },
  list: {
    path: '/instances',
    items: '/instances',
    id: '/id',
    state: '/status',
    active: ['online', 'deploying', 'failed'],
    pages: { number: 'page' },
  },
  redeploy: { path: '/instances/{id}/redeploy' },
  status: {
    path: '/instances/{id}',
    state: '/status',
    up: ['online'],
    starting: ['deploying'],
    failed: ['failed'],
  },
  confirm: { path: '/instances/{id}/token', accepted: { status: [200] }, issuedAt: '/issuedAt' },
} as const;

export interface Instance {
  readonly id: string;
  status: 'online' | 'deploying' | 'failed' | 'archived';
  /** The key that signed its token; null: none. */
  key: string | null;
  /** Milliseconds. */
  issuedAt: number;
  /** Redeploys that it was asked for. */
  redeploys: number;
}

export interface FleetOptions {
  readonly ids: readonly string[];
  /** What the platform signs with now. */
  key(): string | null;
  now(): number;
  after(milliseconds: number, action: () => void): void;
  /** Instances on a page. Default: 2. */
  readonly pageSize?: number;
  /** Milliseconds from a redeploy to its end. Default: 1,000. */
  readonly startTime?: number;
  /** Redeploys of this instance that fail before one comes up. Default: none. */
  failures?(id: string): number;
  /** Answers in place of the platform; undefined: the platform answers. */
  intercept?(call: InstancesCall): HttpResponse | undefined;
}

export class Fleet {
  readonly instances: Map<string, Instance>;
  /** Method and path of every call. */
  readonly calls: string[] = [];
  readonly #options: FleetOptions;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.instances = new Map(
      options.ids.map((id) => [
        id,
        { id, status: 'online', key: options.key(), issuedAt: options.now(), redeploys: 0 },
      ]),
    );
  }

  readonly api: InstancesApi = {
    send: async (call) => {
      const { pathname, searchParams } = new URL(call.url);
      this.calls.push(`${call.method} ${pathname}${new URL(call.url).search}`);
      const intercepted = this.#options.intercept?.(call);
      if (intercepted !== undefined) return intercepted;
      const [, , id = '', part] = pathname.split('/');
      if (id === '') return this.#page(Number(searchParams.get('page')));
      const instance = this.instances.get(id);
      if (instance === undefined) return { status: 404, body: '{}' };
      if (call.method === 'POST') return this.#redeploy(instance);
      return part === 'token' ? this.#token(instance) : answer(200, { id, status: instance.status });
    },
  };

  #page(page: number): HttpResponse {
    const size = this.#options.pageSize ?? 2;
    const some = [...this.instances.values()].slice((page - 1) * size, page * size);
    return answer(200, { instances: some.map(({ id, status }) => ({ id, status })) });
  }

  #redeploy(instance: Instance): HttpResponse {
    if (instance.status === 'deploying') return answer(409, {});
    const { key, now, after, failures, startTime } = this.#options;
    instance.redeploys += 1;
    instance.status = 'deploying';
    const fails = instance.redeploys <= (failures?.(instance.id) ?? 0);
    const minted = { key: key(), issuedAt: now() };
    after(startTime ?? 1_000, () => {
      instance.status = fails ? 'failed' : 'online';
      if (!fails) Object.assign(instance, minted);
    });
    return answer(202, {});
  }

  /** Whether the token that the instance holds is of the key that the platform verifies with. */
  #token({ key, issuedAt }: Instance): HttpResponse {
    return key === this.#options.key()
      ? answer(200, { issuedAt: Math.floor(issuedAt / 1000) })
      : answer(409, {});
  }
}

function answer(status: number, body: object): HttpResponse {
  return { status, body: JSON.stringify(body) };
}
