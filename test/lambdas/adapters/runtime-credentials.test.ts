import { afterEach, expect, test, vi } from 'vitest';
import { defaultProvider } from '../../../lambdas/adapters/aws/runtime-credentials.ts';

afterEach(() => vi.unstubAllEnvs());

test('are those that Lambda puts into the environment', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'an id');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'a key');
  vi.stubEnv('AWS_SESSION_TOKEN', 'a token');
  expect(await defaultProvider()()).toEqual({
    accessKeyId: 'an id',
    secretAccessKey: 'a key',
    sessionToken: 'a token',
  });
});

test('are missed by name, and the one that is there is not quoted', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'a key');
  const failure = await defaultProvider()().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'SettingsInvalid' });
  expect(String(failure)).not.toContain('a key');
});
