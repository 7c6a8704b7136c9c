/** Re-encryption by HTTP against platforms that keep state, as their documents describe them. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { mostSetAside, SliceReport } from '../../../../lambdas/contract/reencryption.ts';
import { hook } from '../../../../lambdas/hooks/reencrypt/http.ts';
import {
  adminSecret,
  bound,
  canary,
  openKaireon,
  openServer,
  openTessallite,
  portsOf,
  type StoreRow,
  slice,
} from './platforms.ts';

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0)) close();
});

async function opened<T extends { close(): void }>(server: Promise<T>): Promise<T> {
  const made = await server;
  closes.push(made.close);
  return made;
}

/** Everything that leaves the hook is searched for the canary. */
async function refusal(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    (answer) => ({ answered: answer }),
    (caught: unknown) => caught,
  );
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(canary);
  return error;
}

function clean(report: SliceReport): SliceReport {
  expect(JSON.stringify(report)).not.toContain(canary);
  return SliceReport.parse(report);
}

const rows = (count: number, tenant: string): StoreRow[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${tenant}-${index}`, version: 1 }));

describe('one call for all, after a login (Tessallite)', () => {
  test('is repeated until no failure is left, and counts what each call moved', async () => {
    const platform = await opened(openTessallite({ rows: 40, failFirst: 3 }));
    const { ports, reports } = portsOf(platform);
    const report = clean(await bound(platform.members).run(slice(), ports));
    expect(report).toEqual({
      finished: true,
      cursor: null,
      targets: [{ target: 'credentials', total: null, moved: 40, left: 0, poisoned: 0 }],
      setAside: [],
    });
    expect(platform.state).toMatchObject({ old: 0, calls: 3, logins: 1 });
    expect(reports).toHaveLength(1);
  });

  test('is made again after an outage, and logs in again when its token is forgotten', async () => {
    const platform = await opened(openTessallite({ rows: 9, failFirst: 1 }));
    platform.state.outages = 2;
    const { ports } = portsOf(platform);
    const sleep = ports.clock.sleep;
    const forgetful = {
      ...ports,
      clock: {
        ...ports.clock,
        sleep: async (milliseconds: number) => {
          platform.state.tokens.clear();
          await sleep(milliseconds);
        },
      },
    };
    expect(clean(await bound(platform.members).run(slice(), forgetful))).toMatchObject({ finished: true });
    expect(platform.state).toMatchObject({ old: 0, calls: 2, logins: 4 });
  });

  test('that never completes is an error which says so, and the count tells what is left', async () => {
    const platform = await opened(openTessallite({ rows: 9, failFirst: 0, movable: 7 }));
    const { ports } = portsOf(platform);
    const { run, count } = bound({ ...platform.members, calls: 3 });
    expect(await refusal(run(slice(), ports))).toMatchObject({
      code: 'ReencryptionFailed',
      retryable: true,
      message: '127.0.0.1 must say within 3 calls that nothing is left to move (/failures); it does not.',
    });
    expect(platform.state.calls).toBe(3);
    expect(clean(await count(slice(), ports))).toMatchObject({ finished: true, targets: [{ left: 2 }] });
  });

  test('goes on in the next slice with the calls that are left and the sum of what was moved', async () => {
    const platform = await opened(openTessallite({ rows: 40, failFirst: 5 }));
    const members = { ...platform.members, pauseSeconds: 60, timeoutSeconds: 60 };
    const first = portsOf({ ...platform, milliseconds: 100_000 });
    const unfinished = clean(await bound(members).run(slice(), first.ports));
    expect(unfinished).toMatchObject({ finished: false, targets: [{ moved: 35, left: 5 }] });
    const second = portsOf(platform);
    const report = await bound(members).run(slice({ cursor: unfinished.cursor }), second.ports);
    expect(clean(report)).toMatchObject({ finished: true, targets: [{ moved: 40, left: 0 }] });
    expect(platform.state.calls).toBe(4);
  });

  test('with a wrong password is refused, without the answer and without the password', async () => {
    const platform = await opened(openTessallite({ rows: 1, failFirst: 0 }));
    platform.credentials.set(`${adminSecret} PASSWORD`, `${canary}-wrong`);
    const { ports } = portsOf(platform);
    expect(await refusal(bound(platform.members).run(slice(), ports))).toMatchObject({
      code: 'HookRefused',
      retryable: false,
      message: '127.0.0.1 must answer a re-encryption with a status from 200 to 299; it answered 401.',
    });
  });
});

describe('a call per tenant, with stores and a dry run (KaireonAI)', () => {
  const three = () => ({
    acme: { connectors: rows(5, 'acme'), webhooks: rows(2, 'acme-w') },
    beta: { connectors: rows(3, 'beta'), webhooks: [] },
    coda: { connectors: rows(1, 'coda'), webhooks: rows(4, 'coda-w') },
  });

  test('moves every tenant of every page, dry run first, and adds the stores up', async () => {
    const platform = await opened(openKaireon(three()));
    const { ports } = portsOf(platform);
    const { run, count } = bound(platform.members);
    expect(clean(await count(slice(), ports)).targets).toEqual([
      { target: 'connectors', total: 9, moved: 0, left: 9, poisoned: 0 },
      { target: 'webhooks', total: 6, moved: 0, left: 6, poisoned: 0 },
    ]);
    expect(clean(await run(slice(), ports))).toEqual({
      finished: true,
      cursor: null,
      targets: [
        { target: 'connectors', total: 9, moved: 9, left: 0, poisoned: 0 },
        { target: 'webhooks', total: 6, moved: 6, left: 0, poisoned: 0 },
      ],
      setAside: [],
    });
    const posts = platform.asked.filter(({ method }) => method === 'POST').slice(3);
    expect(posts.map(({ body }) => `${body.tenantId} ${body.dryRun}`)).toEqual([
      'acme true',
      'acme false',
      'beta true',
      'beta false',
      'coda true',
      'coda false',
    ]);
    expect(clean(await count(slice(), ports)).targets.map(({ left }) => left)).toEqual([0, 0]);
  });

  test('is repeated for a tenant with more rows than one call moves', async () => {
    const platform = await opened(openKaireon({ acme: { connectors: rows(250, 'acme') } }));
    const { ports } = portsOf(platform);
    const report = clean(await bound(platform.members).run(slice(), ports));
    expect(report.targets).toEqual([{ target: 'connectors', total: 250, moved: 250, left: 0, poisoned: 0 }]);
    expect(platform.asked.filter(({ body }) => body.dryRun === false)).toHaveLength(3);
  });

  test('sets aside what the answer lists by name, and the count goes on counting it', async () => {
    const tenants = three();
    tenants.beta.connectors.push({ id: 'beta-lost', version: 1, broken: true });
    const platform = await opened(openKaireon(tenants));
    const { ports } = portsOf(platform);
    const { run, count } = bound(platform.members);
    const report = clean(await run(slice(), ports));
    const aside = [{ target: 'connectors', row: 'beta/beta-lost', poison: 'not-rotated' }];
    expect(report).toMatchObject({ finished: true, setAside: aside });
    expect(report.targets[0]).toEqual({ target: 'connectors', total: 10, moved: 9, left: 1, poisoned: 1 });
    const counted = clean(await count(slice(), ports));
    expect(counted.setAside).toEqual(aside);
    expect(counted.targets[0]).toEqual({ target: 'connectors', total: 10, moved: 0, left: 1, poisoned: 1 });
  });

  test('shows no id that could be a value, and no longer list than a state may hold', async () => {
    const long = `gAAAAA${canary}${'x'.repeat(60)}`;
    const many = Array.from({ length: 150 }, (_, index) => ({
      id: `${long}${index}`,
      version: 1,
      broken: true,
    }));
    const platform = await opened(openKaireon({ acme: { connectors: many } }));
    const { ports } = portsOf(platform);
    const report = clean(await bound(platform.members).run(slice(), ports));
    expect(report.targets).toEqual([
      { target: 'connectors', total: 150, moved: 0, left: 150, poisoned: 150 },
    ]);
    expect(report.setAside).toHaveLength(mostSetAside);
    expect(new Set(report.setAside.map(({ row }) => row)).size).toBe(mostSetAside);
    for (const { row } of report.setAside) expect(row).toMatch(/^acme\/unshown-[0-9a-f]{12}$/);
  });

  test('goes on behind the last tenant that is done, whatever became of the list', async () => {
    const platform = await opened(openKaireon(three()));
    const members = { ...platform.members, timeoutSeconds: 60 };
    const cut = portsOf(platform);
    // After the first tenant the time is short.
    const ports = { ...cut.ports, progress: () => void cut.pass(790_000) };
    const first = clean(await bound(members).run(slice(), ports));
    expect(first).toMatchObject({ finished: false });
    expect(first.targets.map(({ moved }) => moved)).toEqual([5, 2]);
    delete platform.tenants.acme;
    platform.asked.length = 0;
    const second = await bound(members).run(slice({ cursor: first.cursor }), portsOf(platform).ports);
    expect(clean(second).targets.map(({ moved }) => moved)).toEqual([9, 6]);
    expect(platform.asked.map(({ body }) => body.tenantId)).not.toContain('acme');
  });

  test('begins anew with a cursor that it does not know, and loses nothing', async () => {
    const platform = await opened(openKaireon(three()));
    const { ports } = portsOf(platform);
    const report = await bound(platform.members).run(slice({ cursor: '{"page":7}' }), ports);
    expect(clean(report).targets.map(({ moved }) => moved)).toEqual([9, 6]);
  });

  test('keeps what a slice has reached when a later tenant fails', async () => {
    const tenants: Record<string, Record<string, StoreRow[]>> = { ...three(), beta: {} };
    const platform = await opened(openKaireon(tenants));
    const { ports } = portsOf(platform);
    const { run } = bound(platform.members);
    const first = clean(await run(slice(), ports));
    expect(first).toMatchObject({ finished: false, targets: [{ moved: 5 }, { moved: 2 }] });
    expect(await refusal(run(slice({ cursor: first.cursor }), ports))).toMatchObject({
      code: 'ReencryptionFailed',
      message:
        'The answer must have what is declared for /stores/*/rotated; it does not, or it is of another type.',
    });
  });

  test('tells in a dry run what would be moved, and moves nothing', async () => {
    const platform = await opened(openKaireon(three()));
    const { ports } = portsOf(platform);
    const report = clean(await bound(platform.members).run(slice({ dryRun: true }), ports));
    expect(report.targets.map(({ left }) => left)).toEqual([9, 6]);
    expect(platform.asked.filter(({ body }) => body.dryRun === false)).toEqual([]);
  });
});

describe('an answer', () => {
  const complete = [{ pointer: '/failures', equals: 0 }];
  async function answering(reply: Parameters<typeof openServer>[0], more: object = {}) {
    const server = await opened(openServer(reply));
    const { ports } = portsOf();
    const hooked = bound({ url: `${server.url}/rotate`, complete, calls: 2, ...more });
    return { server, run: () => hooked.run(slice(), ports), count: () => hooked.count(slice(), ports) };
  }
  const notDeclared = (pointer: string) =>
    `The answer must have what is declared for ${pointer}; it does not, or it is of another type.`;

  test.each([
    [
      'is no JSON',
      { text: `failures: 0 ${canary}` },
      '127.0.0.1 must answer a re-encryption with JSON; it did not.',
    ],
    ['lacks the pointer', { body: { failed: canary } }, notDeclared('/failures')],
    ['has another type', { body: { failures: `0${canary}` } }, notDeclared('/failures')],
    ['has an object there', { body: { failures: { [canary]: 0 } } }, notDeclared('/failures')],
  ])('that %s is not completion', async (_what, reply, message) => {
    const { server, run } = await answering(() => reply);
    expect(await refusal(run())).toMatchObject({ code: 'ReencryptionFailed', retryable: true, message });
    expect(server.asked).toHaveLength(2);
  });

  test.each([
    [{ stores: [] }, notDeclared('/stores/*/errors')],
    [{ stores: [{ errors: 0 }, {}] }, notDeclared('/stores/*/errors')],
    [{ stores: canary }, notDeclared('/stores/*/errors')],
  ])('in which the matches of * are not whole is not completion: %j', async (body, message) => {
    const { run } = await answering(() => ({ body }), {
      complete: [{ pointer: '/stores/*/errors', equals: 0 }],
    });
    expect(await refusal(run())).toMatchObject({ message });
  });

  test.each([
    [{ a: { errors: 0 }, b: { errors: 0 } }, true],
    [{ a: { errors: 0 }, b: { errors: 1 } }, false],
  ])('must be equal at every match of *: %j', async (stores, finished) => {
    const { run } = await answering(() => ({ body: { stores } }), {
      complete: [{ pointer: '/stores/*/errors', equals: 0 }],
    });
    expect(await refusal(run())).toMatchObject(
      finished ? { answered: { finished } } : { code: 'ReencryptionFailed' },
    );
  });

  test('that redirects is refused, and nobody follows', async () => {
    const other = await opened(openServer(() => ({ body: { failures: 0 } })));
    const { run } = await answering(() => ({ status: 307, headers: { location: `${other.url}/${canary}` } }));
    expect(await refusal(run())).toMatchObject({ code: 'HookRefused', retryable: false });
    expect(other.asked).toEqual([]);
  });

  test.each([
    [500, 'HookUnreachable', 2],
    [429, 'HookUnreachable', 2],
    [400, 'HookRefused', 1],
    [404, 'HookRefused', 1],
  ])('with status %i is %s', async (status, code, calls) => {
    const { server, run } = await answering(() => ({ status, text: canary }));
    expect(await refusal(run())).toMatchObject({ code });
    expect(server.asked).toHaveLength(calls);
  });

  test('that counts nothing leaves something until it is complete', async () => {
    const { count } = await answering(() => ({ body: { failures: 3 } }));
    expect(await count()).toMatchObject({ targets: [{ target: '127.0.0.1', total: null, left: 1 }] });
  });

  test('with a bad tenant id is refused before any call', async () => {
    const { server, run } = await answering(() => ({ body: { items: ['ok', `../${canary}`] } }), {
      body: { id: '{tenant}' },
      tenants: { path: '/tenants', items: '/items' },
    });
    expect(await refusal(run())).toMatchObject({
      message:
        'The list of tenants must have what is declared for /items; it does not, or it is of another type.',
    });
    expect(server.asked.map(({ path }) => path)).toEqual(['/tenants']);
  });
});

test('a tenant stands in the path as one segment', async () => {
  const server = await opened(openServer(() => ({ body: { failures: 0 } })));
  const members = {
    url: `${server.url}/{tenant}/rotate?of={tenant}`,
    tenants: ['b@x', 'a:1'],
    complete: [{ pointer: '/failures', equals: 0 }],
  };
  await bound(members).run(slice(), portsOf().ports);
  expect(server.asked.map(({ path }) => path)).toEqual(['/a%3A1/rotate?of=a%3A1', '/b%40x/rotate?of=b%40x']);
});

const good = { url: 'https://app.example.com/rotate', complete: [{ pointer: '/failures', equals: 0 }] };
test.each([
  [
    { url: 'http://app.example.com/' },
    'url must be https (http only on a loopback address); received "http://app.example.com/".',
  ],
  [
    { url: 'https://169.254.169.254/' },
    'url must not lead to a link-local address; received "https://169.254.169.254/".',
  ],
  [
    { url: 'https://{tenant}.example.com/', tenants: ['a'] },
    'url must have {tenant} in its path or query only; received "https://{tenant}.example.com/".',
  ],
  [{ body: { id: '{tenant}' } }, 'tenants must say what {tenant} stands for; it is missing.'],
  [{ tenants: ['a'] }, '{tenant} must stand in url, headers or body when there are tenants; it does not.'],
  [{ headers: { authorization: 'x' } }, 'headers must not have authorization: credentials belong into auth.'],
  [{ method: 'GET', body: {} }, 'body must be left out with method GET.'],
  [
    { dryRun: { complete: good.complete } },
    'dryRun must have body or headers that differ from the real call; it has neither.',
  ],
  [
    { complete: [{ pointer: '/a/*/b/*', equals: 0 }] },
    'complete.0.pointer must have at most one segment *; received "/a/*/b/*".',
  ],
  [
    { body: { id: '{tenant}' }, tenants: { path: '//evil.example.com/', items: '/items' } },
    'tenants.path must begin with one slash; received "//evil.example.com/".',
  ],
  [{ calls: 0 }, 'calls must be at least 1; received 0.'],
])('bad members are refused: %j', (changed, sentence) => {
  expect(hook.check({ kind: 'http', ...good, ...changed })).toEqual({ ok: false, broken: [sentence] });
});

test('needs the key of each credential, and names the secrets that it reads', () => {
  const kmsKey = 'arn:aws:kms:eu-central-1:111122223333:key/abc';
  const auth = { credential: { secret: adminSecret, member: 'API_KEY', kmsKey } };
  expect(hook.check({ kind: 'http', ...good, auth })).toEqual({
    ok: true,
    hook: {
      credentials: [adminSecret],
      counts: true,
      statements: [
        {
          actions: ['kms:Decrypt'],
          resources: [kmsKey],
          conditions: { StringEquals: { 'kms:ViaService': 'secretsmanager.{region}.amazonaws.com' } },
        },
      ],
    },
  });
});
