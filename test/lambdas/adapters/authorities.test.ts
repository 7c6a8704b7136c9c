/** Who may sign for a server: of `rds`, Amazon's own authorities and no others. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { expect, onTestFinished, test, vi } from 'vitest';
import { authoritiesOf } from '../../../lambdas/adapters/authorities.ts';
import { type Authority, makeAuthority } from '../../../lib/rehearsal/certificates.ts';

/** A folder like that of Lambda's runtime. @param files what lies in it, by name */
function runtime(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-runtime-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
    vi.unstubAllEnvs();
  });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  vi.stubEnv('LAMBDA_RUNTIME_DIR', folder);
  return folder;
}

/** The code with which a server with a certificate of this authority is refused; null: it is not. */
async function refusalOf(signer: Authority, ca: string[] | undefined): Promise<string | null> {
  const { certificate: cert, key } = await signer.issue(['localhost']);
  const server = createServer({ cert, key }, (socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => {});
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ...(ca ? { ca } : {}) });
  try {
    await once(socket, 'secureConnect');
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'no code';
  } finally {
    socket.destroy();
    server.close();
  }
}

test('rds: every certificate of the runtime’s file is trusted, and none of anybody else', async () => {
  const [last, other] = await Promise.all([makeAuthority(new Date()), makeAuthority(new Date())]);
  const before = readFileSync(new URL('./test-only-tls/authority.crt', import.meta.url), 'utf8');
  runtime({ 'ca-cert.pem': `${before}\n${last.ca}\n` });
  expect(await refusalOf(last, authoritiesOf('rds'))).toBeNull();
  expect(await refusalOf(other, authoritiesOf('rds'))).not.toBeNull();
  expect(await refusalOf(last, authoritiesOf('system'))).not.toBeNull();
});

test('rds: beside the file, the roots of ACM, which sign for RDS Proxy and ElastiCache', async () => {
  const { ca } = await makeAuthority(new Date());
  runtime({ 'ca-cert.pem': ca });
  const [file, ...roots] = authoritiesOf('rds') ?? [];
  expect(file).toBe(ca);
  const subjects = roots.map((pem) => new X509Certificate(pem).subject);
  expect(subjects).toEqual(expect.arrayContaining([expect.stringMatching(/^CN=Amazon Root CA 1$/m)]));
  for (const subject of subjects) expect(subject).toMatch(/^O=Amazon$/m);
  // RDS Proxy and ElastiCache: Amazon Root CA 1 to 4 ("Using TLS/SSL with RDS Proxy", RDS user guide).
  expect(subjects.length).toBeGreaterThanOrEqual(4);
});

test('rds: the file is read once', async () => {
  const [first, second] = await Promise.all([makeAuthority(new Date()), makeAuthority(new Date())]);
  const folder = runtime({ 'ca-cert.pem': first.ca });
  authoritiesOf('rds');
  writeFileSync(join(folder, 'ca-cert.pem'), second.ca);
  expect(authoritiesOf('rds')?.[0]).toBe(first.ca);
});

test('rds: without the file it is said where to get it, and nothing else is trusted instead', () => {
  const folder = runtime({});
  expect(() => authoritiesOf('rds')).toThrow(
    expect.objectContaining({
      code: 'DeploymentInvalid',
      message: `The file of certificate authorities must be readable; ${folder}/ca-cert.pem is not.`,
      hint: expect.stringContaining('global-bundle.pem'),
    }),
  );
});

test('PEM text is taken as it is, and a path is read', async () => {
  const { ca } = await makeAuthority(new Date());
  const folder = runtime({ 'own.pem': ca });
  expect(authoritiesOf({ pem: ca })).toEqual([ca]);
  expect(authoritiesOf({ path: join(folder, 'own.pem') })).toEqual([ca]);
  expect(authoritiesOf('system')).toBeUndefined();
});
