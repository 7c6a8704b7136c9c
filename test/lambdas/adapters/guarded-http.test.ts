/** Where a signed request may go, shown with real servers: nothing here replaces a socket. */
import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createSocketServer, type Server, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type GuardedHttpOptions,
  type GuardedRequest,
  guardedHttp,
} from '../../../lambdas/adapters/guarded-http.ts';
import { addressIn, privateRangeBreaks, refusedRange } from '../../../lambdas/contract/network-address.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';

const pem = (name: string) => readFileSync(new URL(`./test-only-tls/${name}`, import.meta.url), 'utf8');
const identity = (certificate: string): ServerOptions => ({ key: pem('server.key'), cert: pem(certificate) });

/** In every header and body that is sent or answered; must be in no error. */
const canary = 'LEAKME';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const secure = (answer: RequestListener, tls: ServerOptions = identity('server.crt'), host?: string) =>
  listening(createServer(tls, answer), host);

/** A resolver that gives these answers in turn, the last one for ever. */
function resolving(...answers: readonly (readonly string[])[]) {
  let asked = 0;
  const resolve = async () => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    return answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return { resolve, asked: () => asked };
}

const toServer: GuardedHttpOptions = {
  resolve: resolving(['127.0.0.1']).resolve,
  authorities: pem('authority.crt'),
  loopbackNames: true,
};

function send(url: string, options: GuardedHttpOptions = toServer, extra: Partial<GuardedRequest> = {}) {
  return guardedHttp(options).send({
    method: 'POST',
    url,
    headers: new Map([['keyturn-signature', new Sensitive(`${canary}-header`)]]),
    body: `{"body":"${canary}"}`,
    allowedHosts: ['hook.test'],
    deadline: 500,
    maximumBytes: 1_000,
    ...extra,
  });
}

async function refusal(asked: Promise<unknown>): Promise<unknown> {
  const error = await asked.then(
    () => 'it was answered',
    (caught: unknown) => caught,
  );
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(canary);
  return error;
}

describe('an exchange', () => {
  test('with the named host: headers and body arrive, the answer comes back', async () => {
    const seen: unknown[] = [];
    const port = await secure((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        const { 'keyturn-signature': signature, host, 'accept-encoding': encoding } = request.headers;
        seen.push(request.method, request.url, host, signature, encoding, body);
        response.writeHead(202).end('{"state":"ok"}');
      });
    });
    expect(await send(`https://hook.test:${port}/redeploy?a=1`)).toEqual({
      status: 202,
      body: '{"state":"ok"}',
    });
    expect(seen).toEqual([
      'POST',
      '/redeploy?a=1',
      `hook.test:${port}`,
      'LEAKME-header',
      'identity',
      '{"body":"LEAKME"}',
    ]);
  });

  test('with a loopback literal that the deployment itself names, without TLS', async () => {
    const port = await listening(createPlainServer((_request, response) => response.end('rehearsed')));
    const answer = await send(`http://127.0.0.1:${port}/`, {}, { allowedHosts: ['127.0.0.1'] });
    expect(answer).toEqual({ status: 200, body: 'rehearsed' });
  });

  test('goes to the address that was vetted, though the name answers otherwise the second time', async () => {
    const hits: string[] = [];
    const port = await secure(
      (_request, response) => response.end('vetted'),
      identity('server.crt'),
      '127.0.0.2',
    );
    const trap = createServer(identity('server.crt'), (_request, response) => {
      hits.push('trap');
      response.end();
    });
    await new Promise<void>((resolve) => trap.listen(port, '127.0.0.1', resolve));
    closers.push(() => trap.close());
    const { resolve, asked } = resolving(['127.0.0.2'], ['127.0.0.1']);
    expect(await send(`https://hook.test:${port}/`, { ...toServer, resolve })).toEqual({
      status: 200,
      body: 'vetted',
    });
    expect({ asked: asked(), hits }).toEqual({ asked: 1, hits: [] });
  });

  test('ignores the environment’s proxy and its switch for certificates', async () => {
    const port = await secure((_request, response) => response.end('direct'), identity('self-signed.crt'));
    const before = { ...process.env };
    closers.push(() => {
      process.env = before;
    });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    process.env.HTTPS_PROXY = 'http://127.0.0.1:1';
    process.env.NODE_USE_ENV_PROXY = '1';
    expect(await refusal(send(`https://hook.test:${port}/`))).toMatchObject({
      message: 'hook.test could not be asked (DEPTH_ZERO_SELF_SIGNED_CERT).',
    });
  });
});

describe('an address is refused before anything is asked', () => {
  const somewhere = { resolve: resolving(['93.184.215.14']).resolve };
  test.each([
    [
      'another host',
      'https://evil.test/',
      'The host of a hook must be one that the deployment names; evil.test is not.',
    ],
    [
      'plain text',
      'http://hook.test/',
      'The address of a hook must be https (http only on a loopback address); hook.test is not.',
    ],
    [
      'another scheme',
      'ftp://hook.test/',
      'The address of a hook must be https (http only on a loopback address); hook.test is not.',
    ],
    [
      'a password',
      'https://user:LEAKME@hook.test/',
      'The address of a hook must not carry a user or a password.',
    ],
    ['no address', 'LEAKME', 'The address of a hook must be an address.'],
    [
      'the metadata address, though it was allowed',
      'https://169.254.169.254/',
      '169.254.169.254 must not lead to a link-local address.',
    ],
    [
      'its decimal form',
      'https://2852039166/',
      'The host of a hook must be written in its usual form; received another form of 169.254.169.254.',
    ],
    [
      'its octal form',
      'https://0251.0376.0251.0376/',
      'The host of a hook must be written in its usual form; received another form of 169.254.169.254.',
    ],
    [
      'its hexadecimal form',
      'https://0xA9FEA9FE/',
      'The host of a hook must be written in its usual form; received another form of 169.254.169.254.',
    ],
    [
      'a short form',
      'https://10.1/',
      'The host of a hook must be written in its usual form; received another form of 10.0.0.1.',
    ],
    [
      'a short form of loopback',
      'http://127.1/',
      'The host of a hook must be written in its usual form; received another form of 127.0.0.1.',
    ],
    [
      'full-width digits',
      'https://１６９.254.169.254/',
      'The host of a hook must be written in its usual form; received another form of 169.254.169.254.',
    ],
  ])('%s', async (_what, url, message) => {
    const allowedHosts = ['hook.test', '169.254.169.254', '10.0.0.1', '127.0.0.1'];
    expect(await refusal(send(url, somewhere, { allowedHosts }))).toMatchObject({
      code: 'HookRefused',
      message,
      retryable: false,
    });
  });
});

describe('a name is refused that leads to', () => {
  test.each([
    ['link-local', '169.254.169.254'],
    ['link-local', '169.254.170.2'],
    ['link-local', 'fe80::1'],
    ['link-local', 'fec0::1'],
    ['metadata', 'fd00:ec2::254'],
    ['metadata', 'fd00:0ec2:0:0:0:0:0:23'],
    ['metadata', '168.63.129.16'],
    ['metadata', '100.100.100.200'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['unspecified', '0.0.0.0'],
    ['unspecified', '0.1.2.3'],
    ['unspecified', '::'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['private', 'fc00::1'],
    ['private', 'fd12:3456::1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT', '100.127.255.255'],
    ['multicast', '224.0.0.1'],
    ['multicast', '239.255.255.255'],
    ['multicast', 'ff02::1'],
    ['reserved', '240.0.0.1'],
    ['reserved', '255.255.255.255'],
    ['reserved', '192.0.0.192'],
    ['reserved', '198.18.0.1'],
    ['reserved', '100::1'],
    ['reserved', '5f00::1'],
    ['reserved', '2001:20::1'],
    ['documentation', '203.0.113.1'],
    ['documentation', '2001:db8::1'],
    ['IPv4-mapped', '::ffff:169.254.169.254'],
    ['IPv4-mapped', '::ffff:a9fe:a9fe'],
    ['IPv4-mapped', '::ffff:8.8.8.8'],
    ['IPv4-mapped', '0:0:0:0:0:ffff:a9fe:a9fe'],
    ['IPv4-mapped', '::ffff:0:a9fe:a9fe'],
    ['IPv4-compatible', '::169.254.169.254'],
    ['NAT64', '64:ff9b::a9fe:a9fe'],
    ['NAT64', '64:ff9b:1::a9fe:a9fe'],
    ['6to4', '2002:a9fe:a9fe::1'],
    ['Teredo', '2001:0:a9fe:a9fe::1'],
    ['malformed', 'fe80::1%eth0'],
    ['malformed', '2852039166'],
    ['malformed', '0xA9FEA9FE'],
    ['malformed', '0251.0376.0251.0376'],
    ['malformed', '127.1'],
  ])('a %s address: %s', async (range, address) => {
    const { resolve } = resolving([address]);
    expect(await refusal(send('https://hook.test/', { resolve }))).toMatchObject({
      code: 'HookRefused',
      message: `hook.test must not lead to ${addressIn(range)}.`,
    });
  });

  test('a good address and a bad one together', async () => {
    const { resolve } = resolving(['93.184.215.14', '169.254.169.254']);
    expect(await refusal(send('https://hook.test/', { resolve }))).toMatchObject({
      message: 'hook.test must not lead to a link-local address.',
    });
  });

  test('no address, or that is not answered in time', async () => {
    expect(await refusal(send('https://hook.test/', { resolve: async () => [] }))).toMatchObject({
      message: 'hook.test has no address.',
    });
    const never = { resolve: () => new Promise<never>(() => {}) };
    expect(await refusal(send('https://hook.test/', never, { deadline: 30 }))).toMatchObject({
      code: 'HookUnreachable',
      message: 'hook.test gave no complete answer in 30 ms.',
      retryable: true,
    });
  });
});

describe('ranges that a deployment opens', () => {
  test.each([
    ['10.1.2.3', ['10.0.0.0/8'], null],
    ['10.1.2.3', ['10.1.0.0/16'], null],
    ['10.2.2.3', ['10.1.0.0/16'], 'private'],
    ['192.168.1.1', ['10.0.0.0/8'], 'private'],
    ['100.64.0.1', ['100.64.0.0/10'], null],
    ['100.100.100.200', ['100.64.0.0/10'], 'metadata'],
    ['fd12::1', ['fd12::/16'], null],
    ['fd00:ec2::254', ['fc00::/7'], 'metadata'],
    ['::ffff:10.1.2.3', ['10.0.0.0/8'], 'IPv4-mapped'],
    ['169.254.169.254', ['0.0.0.0/0'], 'link-local'],
    ['93.184.215.14', [], null],
    ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', [], null],
  ])('%s with %j: %s', (address, allowPrivate, range) => {
    expect(refusedRange(address, allowPrivate)).toBe(range);
  });

  test.each([
    '10.0.0.0/8',
    '10.20.0.0/16',
    '172.16.0.0/12',
    '192.168.1.0/24',
    '100.64.0.0/10',
    'fd12:3456::/32',
  ])('%s may be opened', (cidr) => expect(privateRangeBreaks('allowPrivate', cidr)).toBeNull());

  const within = 'must lie within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7';
  test.each([
    ['169.254.0.0/16', `allowPrivate ${within}; received "169.254.0.0/16".`],
    ['127.0.0.0/8', `allowPrivate ${within}; received "127.0.0.0/8".`],
    ['0.0.0.0/0', `allowPrivate ${within}; received "0.0.0.0/0".`],
    ['10.0.0.0/7', `allowPrivate ${within}; received "10.0.0.0/7".`],
    ['fe80::/10', `allowPrivate ${within}; received "fe80::/10".`],
    ['10.0.0.0', 'allowPrivate must be ranges such as 10.0.0.0/8; received "10.0.0.0".'],
    ['10.0.0.0/33', 'allowPrivate must be ranges such as 10.0.0.0/8; received "10.0.0.0/33".'],
    ['ten', 'allowPrivate must be ranges such as 10.0.0.0/8; received "ten".'],
  ])('%s may not', (cidr, sentence) => expect(privateRangeBreaks('allowPrivate', cidr)).toBe(sentence));
});

describe('an answer is refused', () => {
  const bomb = gzipSync(Buffer.alloc(5_000_000));
  const answers: [what: string, answer: RequestListener, message: string][] = [
    ...[301, 302, 303, 307, 308].map((status): [string, RequestListener, string] => [
      `that is a redirect ${status} to a metadata address`,
      (_request, response) =>
        response.writeHead(status, { location: 'http://169.254.169.254/LEAKME' }).end('LEAKME'),
      `hook.test must answer itself; it answered with the redirect ${status}, which is not followed.`,
    ]),
    [
      'that says it is huge',
      (_request, response) => response.writeHead(200, { 'content-length': '1073741824' }).write('LEAKME'),
      'The answer of hook.test must be at most 1000 bytes; it is longer.',
    ],
    [
      'that is endless',
      (_request, response) => {
        const more = () => {
          if (!response.destroyed) response.write(canary.repeat(100), more);
        };
        more();
      },
      'The answer of hook.test must be at most 1000 bytes; it is longer.',
    ],
    [
      'that is compressed, whatever it would become',
      (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
      'The answer of hook.test must not be compressed; it is.',
    ],
    [
      'whose headers are too long',
      (_request, response) => response.writeHead(200, { 'x-long': canary.repeat(5_000) }).end(),
      'hook.test could not be asked (HPE_HEADER_OVERFLOW).',
    ],
    [
      'whose body drips',
      (_request, response) => {
        const drip = setInterval(() => response.write('L'), 20);
        response.on('close', () => clearInterval(drip));
      },
      'hook.test gave no complete answer in 500 ms.',
    ],
    ['that never comes', () => {}, 'hook.test gave no complete answer in 500 ms.'],
    [
      'that is cut off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '20' }).write(canary);
        setTimeout(() => response.destroy(), 20);
      },
      'hook.test could not be asked (ECONNRESET).',
    ],
  ];
  test.each(answers)('%s', async (_what, answer, message) => {
    const port = await secure(answer);
    expect(await refusal(send(`https://hook.test:${port}/`))).toMatchObject({ message });
  });

  test('whose headers drip', async () => {
    const server = createSocketServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const drip = setInterval(() => socket.write(`x-${canary}: LEAKME\r\n`), 20);
      socket.on('close', () => clearInterval(drip));
    });
    const port = await listening(server);
    const asked = send(`http://127.0.0.1:${port}/`, {}, { allowedHosts: ['127.0.0.1'] });
    expect(await refusal(asked)).toMatchObject({ message: '127.0.0.1 gave no complete answer in 500 ms.' });
  });

  test('that is no HTTP', async () => {
    const port = await listening(createSocketServer((socket) => socket.end(`${canary}\r\n\r\n`)));
    const asked = send(`http://127.0.0.1:${port}/`, {}, { allowedHosts: ['127.0.0.1'] });
    expect(await refusal(asked)).toMatchObject({
      code: 'HookUnreachable',
      message: '127.0.0.1 could not be asked (HPE_INVALID_CONSTANT).',
    });
  });

  test('or a header that cannot be sent', async () => {
    const port = await secure((_request, response) => response.end());
    const headers = new Map([['x-key', new Sensitive('LEAKME\r\nx: y')]]);
    expect(await refusal(send(`https://hook.test:${port}/`, toServer, { headers }))).toMatchObject({
      message: 'hook.test could not be asked (ERR_INVALID_CHAR).',
    });
  });
});

describe('a connection is refused', () => {
  const old: ServerOptions = {
    ...identity('server.crt'),
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  };
  test.each([
    ['with a certificate for another host', identity('other-host.crt'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['with an expired certificate', identity('expired.crt'), 'CERT_HAS_EXPIRED'],
    ['with a self-signed certificate', identity('self-signed.crt'), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['with TLS 1.1', old, 'EPROTO'],
  ])('%s', async (_what, tls, code) => {
    let asked = 0;
    const port = await secure((_request, response) => {
      asked += 1;
      response.end(canary);
    }, tls);
    expect(await refusal(send(`https://hook.test:${port}/`))).toMatchObject({
      code: 'HookUnreachable',
      message: `hook.test could not be asked (${code}).`,
    });
    expect(asked).toBe(0);
  });

  test('(the server of TLS 1.1 does serve who accepts it)', async () => {
    const port = await secure((_request, response) => response.end(), old);
    const { minVersion, maxVersion, ciphers } = old;
    const options = { host: '127.0.0.1', port, servername: 'hook.test', ca: pem('authority.crt') };
    const protocol = await new Promise((resolve, reject) => {
      const socket = connect({ ...options, minVersion, maxVersion, ciphers }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(protocol).toBe('TLSv1.1');
  });

  test('with an authority that is not trusted', async () => {
    const port = await secure((_request, response) => response.end(canary));
    const { authorities: _left, ...publicOnes } = toServer;
    expect(await refusal(send(`https://hook.test:${port}/`, publicOnes))).toMatchObject({
      message: 'hook.test could not be asked (UNABLE_TO_VERIFY_LEAF_SIGNATURE).',
    });
  });

  test('without TLS where TLS is expected', async () => {
    const port = await listening(createPlainServer((_request, response) => response.end(canary)));
    expect(await refusal(send(`https://hook.test:${port}/`))).toMatchObject({ code: 'HookUnreachable' });
  });

  test('where nobody listens', async () => {
    expect(await refusal(send('https://hook.test:1/'))).toMatchObject({
      message: 'hook.test could not be asked (ECONNREFUSED).',
    });
  });
});
