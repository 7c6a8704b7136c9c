import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { redeployHooks } from '../../../../lambdas/adapters/consumers/http.ts';
import { guardedHttp } from '../../../../lambdas/adapters/guarded-http.ts';
import { hook } from '../../../../lambdas/hooks/redeploy/http.ts';
import { openAccount, type TestAccount, versionId } from './account.ts';

const key = 'LEAKME-0123456789abcdef0123456789abcdef';

let account: TestAccount;
let receiver: Awaited<ReturnType<typeof openReceiver>>;
let since: Date;
let keyArn: string;
let secretId: string;
beforeEach(async () => {
  account = await openAccount();
  receiver = await openReceiver();
  const made = await new SecretsManagerClient(account.config).send(
    new CreateSecretCommand({
      Name: 'hooks/signing',
      SecretString: JSON.stringify({ SIGNING: key, SHORT: 'x' }),
    }),
  );
  keyArn = made.ARN ?? '';
  const rotated = await new SecretsManagerClient(account.config).send(
    new CreateSecretCommand({ Name: 'app/key' }),
  );
  secretId = rotated.ARN ?? '';
  since = account.clock.now();
  await account.world.advance(1_000);
});
afterEach(async () => {
  await account.close();
  receiver.close();
});

/**
 * A team's service as the documentation of the hook tells it to be: it verifies, keeps the time, restarts once
 * for a version however often it is asked, and takes three looks to be done.
 */
async function openReceiver() {
  const restarts = new Map<string, { startedAt: string; looks: number }>();
  const state = { statuses: [] as number[], bodies: [] as string[], restarts, count: 0 };
  const server: Server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  async function answer(request: IncomingMessage, response: ServerResponse) {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const timestamp = String(request.headers['keyturn-timestamp']);
    const expected = `v1=${createHmac('sha256', key).update(`${timestamp}\n${request.method}\n${request.url}\n${body}`).digest('hex')}`;
    const given = Buffer.from(String(request.headers['keyturn-signature']));
    const fresh = Math.abs(Number(timestamp) - account.world.now() / 1000) <= 300;
    const genuine = given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
    const status = state.statuses.shift();
    if (!fresh || !genuine) return response.writeHead(401).end();
    if (status !== undefined) return response.writeHead(status).end(body);
    if (request.method === 'POST') {
      state.bodies.push(body);
      const { versionId: version } = JSON.parse(body);
      if (!restarts.has(version)) {
        state.count += 1;
        restarts.set(version, { startedAt: new Date(account.world.now()).toISOString(), looks: 0 });
      }
      return response.writeHead(202).end();
    }
    const restart = restarts.get(new URL(request.url ?? '', 'http://x').pathname.split('/').at(-1) ?? '');
    if (restart === undefined) return response.writeHead(404).end();
    restart.looks += 1;
    const done = restart.looks > 3;
    return response.end(
      JSON.stringify({ redeploy: { state: done ? 'done' : 'running' }, startedAt: restart.startedAt }),
    );
  }

  return {
    ...state,
    state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const look = {
  path: '/redeploys/{versionId}?secret={secretId}',
  pointer: '/redeploy/state',
  equals: 'done',
  startedAt: '/startedAt',
};

function consumer(members: object = { look }, variable = 'SIGNING') {
  const port = redeployHooks(new SecretsManagerClient(account.config), guardedHttp(), account.clock);
  const bound = hook.connect(port).bind({
    kind: 'http',
    url: `${receiver.url}/redeploys`,
    key: { secret: keyArn, variable },
    ...members,
  });
  if (!bound.ok) throw new Error(bound.broken.join());
  const renewing = () => ({ secretId, versionId, since });
  return {
    begin: () => bound.hook.begin(renewing(), account.clock),
    look: () => bound.hook.look(renewing(), account.clock),
  };
}

async function refusal(asked: Promise<unknown>): Promise<unknown> {
  const error = await asked.then(
    () => 'it was answered',
    (caught: unknown) => caught,
  );
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('LEAKME');
  return error;
}

describe('a service that restarts', () => {
  test('gets a signed request with ids only, and is asked until it is done', async () => {
    const { begin, look: ask } = consumer();
    expect(await ask()).toEqual({ renewed: false, reason: '127.0.0.1 answered 404' });
    await begin();
    expect(receiver.state.bodies.map((body) => JSON.parse(body))).toEqual([
      { schema: 1, secretId, versionId, since: '2026-11-21T03:00:00.000Z' },
    ]);
    for (let time = 0; time < 3; time += 1) {
      expect(await ask()).toEqual({
        renewed: false,
        reason: '127.0.0.1 does not say done at /redeploy/state yet',
      });
    }
    expect(await ask()).toEqual({ renewed: true });
  });

  test('is not asked again when it is done, also by another process', async () => {
    const first = consumer();
    await first.begin();
    await first.begin();
    for (let time = 0; time < 3; time += 1) await first.look();
    await consumer().begin();
    expect(receiver.state.count).toBe(1);
    expect(receiver.state.bodies).toHaveLength(2);
  });

  test('that started before the version has not restarted', async () => {
    const { begin, look: ask } = consumer();
    await begin();
    since = account.clock.now();
    for (let time = 0; time < 3; time += 1) await ask();
    expect(await ask()).toEqual({
      renewed: false,
      reason: '127.0.0.1 names no start after the version at /startedAt',
    });
  });

  test('that does not tell when it started is believed, and the rest is said', async () => {
    const { startedAt: _left, ...bare } = look;
    const { begin, look: ask } = consumer({ look: bare });
    await begin();
    for (let time = 0; time < 3; time += 1) await ask();
    expect(await ask()).toEqual({
      renewed: true,
      unproven: '127.0.0.1 says that it has restarted, not when: startedAt is not declared',
    });
  });

  test('whose answer is final has restarted when it took the request', async () => {
    const { begin, look: ask } = consumer({ final: true });
    expect(await ask()).toEqual({ renewed: false, reason: '127.0.0.1 has not taken the request' });
    await begin();
    expect(await ask()).toEqual({
      renewed: true,
      unproven: '127.0.0.1 took the request, which counts as restarted; nothing else was asked',
    });
    await begin();
    expect(receiver.state.bodies).toHaveLength(1);
    // Another process knows of it, by the secret's tag; nobody has asked for a later version.
    expect(await consumer({ final: true }).look()).toMatchObject({ renewed: true });
    since = account.clock.now();
    expect(await ask()).toMatchObject({ renewed: false });
  });

  test.each([
    [500, 'HookUnreachable', true],
    [503, 'HookUnreachable', true],
    [429, 'HookUnreachable', true],
    [403, 'HookRefused', false],
    [404, 'HookRefused', false],
  ])('that answers %i has not taken the request', async (status, code, retryable) => {
    receiver.state.statuses.push(status);
    expect(await refusal(consumer({ final: true }).begin())).toMatchObject({
      code,
      message: `127.0.0.1 must take the request with a status from 200 to 299; it answered ${status}.`,
      retryable,
    });
  });

  test('that is away while it restarts is looked at again', async () => {
    const { begin, look: ask } = consumer();
    await begin();
    receiver.close();
    expect(await ask()).toEqual({ renewed: false, reason: '127.0.0.1 could not be asked (ECONNREFUSED)' });
  });

  test('refuses a request that was recorded and comes late', async () => {
    const { begin } = consumer({ final: true });
    const late = { ...account.clock, now: () => new Date(account.world.now() - 301_000) };
    const port = redeployHooks(new SecretsManagerClient(account.config), guardedHttp(), late);
    const asked = {
      method: 'POST',
      url: `${receiver.url}/redeploys`,
      body: '{}',
      key: { secret: keyArn, variable: 'SIGNING' },
      allowPrivate: [],
    } as const;
    expect(await port.ask(asked)).toMatchObject({ status: 401 });
    await begin();
  });
});

describe('a signing key', () => {
  test.each([
    [
      'that is too short',
      'SHORT',
      'The signing key SHORT in ARN must be text of at least 32 bytes; it is not.',
    ],
    [
      'that is not there',
      'OTHER',
      'The signing key OTHER in ARN must be text of at least 32 bytes; it is not.',
    ],
  ])('%s is refused', async (_what, variable, sentence) => {
    expect(await refusal(consumer({ final: true }, variable).begin())).toMatchObject({
      code: 'DocumentInvalid',
      message: sentence.replace('ARN', keyArn),
    });
  });
});

const members = {
  url: 'https://deploy.example.com/redeploys',
  key: { secret: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:hooks/signing-AbCdEf' },
  final: true,
};
test.each([
  [
    { final: undefined },
    'one of look and final must be given, and not both: how to see that everything has restarted.',
  ],
  [{ look }, 'one of look and final must be given, and not both: how to see that everything has restarted.'],
  [
    { url: 'http://deploy.example.com/' },
    'url must be https (http only on a loopback address); received "http://deploy.example.com/".',
  ],
  [
    { url: 'http://localhost/' },
    'url must be https (http only on a loopback address); received "http://localhost/".',
  ],
  [{ url: 'deploy' }, 'url must be an address; received "deploy".'],
  [{ url: 'https://a:b@deploy.example.com/' }, 'url must not carry a user or a password.'],
  [
    { url: 'https://169.254.169.254/' },
    'url must not lead to a link-local address; received "https://169.254.169.254/".',
  ],
  [
    { url: 'https://[::ffff:169.254.169.254]/' },
    'url must have its IP address in the usual form; received "https://[::ffff:169.254.169.254]/".',
  ],
  [
    { url: 'https://[::ffff:a9fe:a9fe]/' },
    'url must not lead to an IPv4-mapped address; received "https://[::ffff:a9fe:a9fe]/".',
  ],
  [
    { url: 'https://2852039166/' },
    'url must have its IP address in the usual form; received "https://2852039166/".',
  ],
  [{ url: 'https://10.0.0.7/' }, 'url must not lead to a private address; received "https://10.0.0.7/".'],
  [
    { allowPrivate: ['169.254.0.0/16'] },
    'allowPrivate must lie within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7; received "169.254.0.0/16".',
  ],
  [
    { key: { secret: 'hooks/signing' } },
    'key.secret must be the full ARN of a secret, with its six characters at the end; received "hooks/signing".',
  ],
])('bad members are refused: %j', (changed, sentence) => {
  expect(hook.check({ kind: 'http', ...members, ...changed })).toEqual({ ok: false, broken: [sentence] });
});

test('a private address may be named together with its range', () => {
  const inside = { ...members, url: 'https://10.0.0.7/', allowPrivate: ['10.0.0.0/8'] };
  expect(hook.check({ kind: 'http', ...inside })).toMatchObject({ ok: true });
});
