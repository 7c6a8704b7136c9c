/** What stands in place of a package in a bundle is enough for the Redis driver; and it prints nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bundled } from '../../lib/bundle.ts';
import { noRedis, startRedis } from '../../lib/rehearsal/redis.ts';

const absent = noRedis();
const from = (file: string) =>
  JSON.stringify(fileURLToPath(new URL(`../../lambdas/${file}`, import.meta.url)));
const script = `
  import { connected } from ${from('adapters/targets/redis.ts')};
  import { Sensitive } from ${from('contract/sensitive.ts')};
  const { port, password, ca, next } = JSON.parse(process.env.GIVEN);
  const login = (text) => connected().target.login({
    engine: 'redis', host: 'localhost', port, user: 'default', password: new Sensitive(text), database: '0',
    tls: { authorities: { pem: ca } },
  });
  const first = await login(password);
  await first.addPassword('default', new Sensitive(next));
  await first.end();
  const second = await login(next);
  await second.keepOnly('default', new Sensitive(next));
  await second.end();
  // A code or this sentence, whatever happens: nothing of the session or of an error's text.
  const outcome = await login(password).then(() => 'it was let in', (error) => error.code);
  console.log(/^[A-Za-z]{1,40}$/.test(outcome) ? outcome : 'no code');`;

test.skipIf(absent !== null)(
  `a bundle changes a password on a real server${absent === null ? '' : ` (not run: ${absent})`}`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyturn-bundle-'));
    const server = await startRedis();
    try {
      const entry = join(directory, 'entry.ts');
      writeFileSync(entry, script);
      const [file] = bundled([entry], directory).outputFiles;
      writeFileSync(join(directory, 'entry.mjs'), file?.text ?? '');
      const next = 'canary-of-the-next-password';
      const given = { port: server.port, password: server.password, ca: server.ca, next };
      const { stdout, stderr } = spawnSync('node', [join(directory, 'entry.mjs')], {
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          AWS_REGION: 'eu-west-1',
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
          // As somebody may set it who looks for a fault.
          DEBUG: '*',
          GIVEN: JSON.stringify(given),
        },
      });
      expect([stdout.trim(), stderr]).toEqual(['CredentialRejected', '']);
    } finally {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
  30_000,
);
