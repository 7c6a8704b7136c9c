import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtVerify } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { http } from '../../../lambdas/adapters/http.ts';
import { SecretDocument } from '../../../lambdas/contract/document.ts';
import type { Clock } from '../../../lambdas/contract/ports.ts';
import { addressBreaks } from '../../../lambdas/hooks/probe/address.ts';
import { probeKinds } from '../../../lambdas/hooks/probe/kinds.ts';

const clock: Clock = { now: () => new Date(), sleep: async () => {} };
const document = (value: string) => new SecretDocument(new Map([['TOKEN', value]]), null);
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A real server on loopback. */
async function serving(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function bound(kind: string, probe: Readonly<Record<string, unknown>>) {
  const result = probeKinds.get(kind)?.bind({ kind, ...probe });
  if (!result?.ok) throw new Error(JSON.stringify(result));
  return result.hook;
}

const answers = { accepted: { status: [200] }, refused: { status: [401] } };

describe('the probe http', () => {
  const headers = { authorization: 'Bearer {TOKEN}' };
  const live = (request: IncomingMessage) => request.headers.authorization === 'Bearer live';

  test.each([
    ['live', 'accepted'],
    ['dead', 'refused'],
  ])('a %s token is %s', async (value, verdict) => {
    const url = await serving((request, response) => response.writeHead(live(request) ? 200 : 401).end());
    expect(await bound('http', { url, headers, ...answers }).ask(document(value), { http, clock })).toBe(
      verdict,
    );
  });

  test('an answer that is told by a member of its body, as oCore’s health payload is', async () => {
    const url = await serving((request, response) =>
      response.end(JSON.stringify(live(request) ? { status: 'ok', version: '1.2' } : { status: 'ok' })),
    );
    const probe = bound('http', {
      url,
      headers,
      accepted: { status: [200], present: '/version' },
      refused: { status: [200], absent: '/version' },
    });
    expect(await probe.ask(document('live'), { http, clock })).toBe('accepted');
    expect(await probe.ask(document('dead'), { http, clock })).toBe('refused');
  });

  test('two instances that disagree prove nothing', async () => {
    let asked = 0;
    const url = await serving((_request, response) => {
      asked += 1;
      response.writeHead(asked % 2 === 0 ? 200 : 401).end();
    });
    expect(await bound('http', { url, headers, ...answers }).ask(document('live'), { http, clock })).toBe(
      'inconclusive',
    );
  });

  test.each([
    ['an overloaded target', 503],
    ['a redirect, which is not followed', 302],
    ['an answer that nobody described', 404],
  ])('%s proves nothing', async (_what, status) => {
    const url = await serving((_request, response) =>
      response.writeHead(status, { location: '/elsewhere' }).end(),
    );
    expect(await bound('http', { url, headers, ...answers }).ask(document('dead'), { http, clock })).toBe(
      'inconclusive',
    );
  });

  test('a value that no header can carry is not printed by the error', async () => {
    const url = await serving((_request, response) => response.end());
    const error = await bound('http', { url, headers, ...answers })
      .ask(document('LEAKME\nline'), { http, clock })
      .catch((caught) => caught);
    expect(error).toMatchObject({ code: 'ProbeInconclusive' });
    expect(error.message).not.toContain('LEAKME');
  });

  test('a target that is not there is inconclusive, never refused', async () => {
    const error = await bound('http', { url: 'http://127.0.0.1:1', headers, ...answers })
      .ask(document('live'), { http, clock })
      .catch((caught) => caught);
    expect(error).toMatchObject({ code: 'ProbeInconclusive', retryable: true });
  });

  test('an endless body ends at its limit', async () => {
    const url = await serving((_request, response) => {
      const more = () => {
        if (!response.destroyed) response.write('x'.repeat(65_536), more);
      };
      more();
    });
    const error = await bound('http', { url, headers, ...answers })
      .ask(document('live'), { http, clock })
      .catch((caught) => caught);
    expect(error.message).toBe('The answer must be at most 65536 bytes; it is longer.');
  });

  test('a value that the platform decodes is sent decoded', async () => {
    const url = await serving((request, response) =>
      response.writeHead(request.headers['x-api-key'] === 'sk-live' ? 200 : 401).end(),
    );
    const probe = bound('http', { url, headers: { 'x-api-key': '{TOKEN:base64-decoded}' }, ...answers });
    expect(await probe.ask(document(Buffer.from('sk-live').toString('base64')), { http, clock })).toBe(
      'accepted',
    );
  });

  test('a probe that does not use the secret is refused: it would prove nothing', () => {
    expect(
      probeKinds
        .get('http')
        ?.bind({ kind: 'http', url: 'https://a.example.com', headers: { accept: '*/*' }, ...answers }),
    ).toEqual({
      ok: false,
      broken: [
        'probe.headers must use a variable of the secret, as {VARIABLE}: a probe without it proves nothing.',
      ],
    });
  });
});

describe('the probe jwt', () => {
  test('signs a short-lived token that another library verifies', async () => {
    const key = 'a-key-of-more-than-thirty-two-characters';
    const seen: unknown[] = [];
    const url = await serving((request, response) => {
      const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
      jwtVerify(token, new TextEncoder().encode(key), { algorithms: ['HS256'] }).then(
        ({ payload }) => {
          seen.push(payload);
          response.writeHead(200).end();
        },
        () => response.writeHead(401).end(),
      );
    });
    const probe = bound('jwt', {
      url,
      variable: 'TOKEN',
      claims: { sub: 'keyturn-probe' },
      times: 1,
      ...answers,
    });
    expect(await probe.ask(document(key), { http, clock })).toBe('accepted');
    expect(await probe.ask(document(`${key}-old`), { http, clock })).toBe('refused');
    expect(seen).toEqual([
      expect.objectContaining({ sub: 'keyturn-probe', iat: expect.any(Number), exp: expect.any(Number) }),
    ]);
  });
});

describe('where a probe may go', () => {
  test.each([
    'https://exo.example.com/api',
    'https://10.0.3.7:8443/api',
    'http://127.0.0.1:4000/api',
    'http://localhost:4000/api',
    'http://[::1]:4000/api',
  ])('%s', (address) => {
    expect(addressBreaks('probe.url', address)).toBeNull();
  });

  test.each([
    [
      'http://exo.example.com/api',
      'probe.url must be https (http only on a loopback address); received "http://exo.example.com/api".',
    ],
    [
      'http://169.254.169.254/latest',
      'probe.url must be https (http only on a loopback address); received "http://169.254.169.254/latest".',
    ],
    [
      'https://169.254.169.254/latest',
      'probe.url must not be a link-local address; received "https://169.254.169.254/latest".',
    ],
    [
      'https://0xA9FEA9FE/latest',
      'probe.url must not be a link-local address; received "https://0xA9FEA9FE/latest".',
    ],
    ['https://[fe80::1]/', 'probe.url must not be a link-local address; received "https://[fe80::1]/".'],
    [
      'https://[::ffff:169.254.169.254]/',
      'probe.url must not be a link-local address; received "https://[::ffff:169.254.169.254]/".',
    ],
    ['https://user:password@exo.example.com', 'probe.url must not carry a user or a password.'],
    ['ftp://exo.example.com', 'probe.url must be https; received "ftp://exo.example.com".'],
    ['exo', 'probe.url must be an address; received "exo".'],
  ])('not %s', (address, sentence) => {
    expect(addressBreaks('probe.url', address)).toBe(sentence);
  });
});
