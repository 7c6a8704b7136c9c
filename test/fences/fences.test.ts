import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogOf, platformIds } from '../../lambdas/catalog/platforms.ts';
import { codecIds, codecOf } from '../../lambdas/ciphers/registry.ts';
import { classIds, classOf } from '../../lambdas/classes/registry.ts';
import { plans } from '../../lambdas/contract/plan.ts';
import { stages } from '../../lambdas/contract/stages.ts';
import { defaultPorts } from '../../lambdas/dsn/schemes.ts';
import { fleetKinds } from '../../lambdas/hooks/instances/kinds.ts';
import { probeKinds } from '../../lambdas/hooks/probe/kinds.ts';
import { redeployKinds } from '../../lambdas/hooks/redeploy/kinds.ts';
import { reencryptKinds } from '../../lambdas/hooks/reencrypt/kinds.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { importsOf, reachedFrom, root, sources } from './imports.ts';

const isSdk = (name: string) => /^(@aws-sdk\/|@smithy\/|(pg|mysql2|ioredis)(\/|$))/.test(name);
/** The program of a stand-in: a platform of its own, with its own driver. */
const isStandIn = (file: string) => /^lib\/rehearsal\/twins\/[\w-]+\.mjs$/.test(file);
const isCdk = (name: string) => /^(aws-cdk-lib|constructs|cdk-nag)(\/|$)/.test(name);
const within =
  (...folders: string[]) =>
  (name: string) =>
    folders.some((folder) => name.startsWith(`${folder}/`));
const isOurs = within('bin', 'lib', 'lambdas', 'test');

/** Which folders of ours a folder may import from, directly. */
const arrows = [
  { from: 'lambdas/contract', to: ['lambdas/contract'] },
  { from: 'lambdas/catalog', to: ['lambdas/catalog', 'lambdas/contract'] },
  { from: 'lambdas/ciphers', to: ['lambdas/ciphers', 'lambdas/contract'] },
  { from: 'lambdas/credentials', to: ['lambdas/credentials', 'lambdas/dsn', 'lambdas/contract'] },
  { from: 'lambdas/dsn', to: ['lambdas/dsn', 'lambdas/contract'] },
  {
    from: 'lambdas/classes',
    to: ['lambdas/classes', 'lambdas/ciphers', 'lambdas/credentials', 'lambdas/dsn', 'lambdas/contract'],
  },
  { from: 'lambdas/hooks', to: ['lambdas/hooks', 'lambdas/ciphers', 'lambdas/contract'] },
  { from: 'lambdas/rotation', to: ['lambdas/rotation', 'lambdas/contract'] },
  {
    from: 'lambdas/rollout',
    to: ['lambdas/rollout', 'lambdas/classes', 'lambdas/hooks', 'lambdas/contract'],
  },
  { from: 'lambdas/reconcile', to: ['lambdas/reconcile', 'lambdas/rollout', 'lambdas/contract'] },
  { from: 'lambdas/adapters', to: ['lambdas'] },
  { from: 'lib', to: ['lib', 'lambdas'] },
  { from: 'bin', to: ['bin', 'lib', 'lambdas'] },
];

describe('arrows between folders', () => {
  test.each(arrows)('$from imports from $to only', ({ from, to }) => {
    const wrong = sources(from).flatMap((file) =>
      importsOf(file)
        .filter((name) => isOurs(name) && !within(...to)(name))
        .map((name) => `${file} -> ${name}`),
    );
    expect(wrong).toEqual([]);
  });
});

/** What a file may not reach, however long the way. */
const fences = [
  { rule: 'no Lambda reaches CDK', from: sources('lambdas'), to: isCdk },
  { rule: 'no Lambda reaches the constructs', from: sources('lambdas'), to: within('lib', 'bin') },
  {
    rule: 'no class, step, stage or hook reaches an adapter or an SDK client',
    from: sources('lambdas').filter((file) => !file.startsWith('lambdas/adapters/')),
    to: (name: string) => isSdk(name) || name.startsWith('lambdas/adapters/'),
  },
  {
    rule: 'no CDK file reaches an SDK client or an adapter',
    from: [...sources('lib').filter((file) => !file.startsWith('lib/rehearsal/')), 'bin/app.ts'],
    to: (name: string) => isSdk(name) || name.startsWith('lambdas/adapters/'),
  },
  {
    // Loading CDK takes longer than most commands do.
    rule: 'the CLI reaches no CDK',
    from: [...sources('bin').filter((file) => /keyturn\.|\/cli\//.test(file)), ...sources('lib/operations')],
    to: isCdk,
  },
  {
    rule: 'the local endpoint knows nothing of Keyturn',
    from: sources('lib/rehearsal/endpoint'),
    to: (name: string) => within('lambdas')(name) || isCdk(name),
  },
  {
    // What reads and writes by Keyturn's own codecs would prove nothing about them.
    rule: 'the programs of the stand-ins know nothing of Keyturn',
    from: sources('lib/rehearsal/twins').filter(isStandIn),
    to: (name: string) => isOurs(name) && !isStandIn(name),
  },
];

describe('fences', () => {
  test.each(fences)('$rule', ({ from, to }) => {
    expect(from.length).toBeGreaterThan(0);
    const wrong = from.flatMap((file) =>
      [...reachedFrom(file)].filter(to).map((name) => `${file} reaches ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('only adapters import SDK clients and drivers', () => {
    const wrong = [...sources('lambdas'), ...sources('lib'), ...sources('bin')]
      .filter((file) => !file.startsWith('lambdas/adapters/') && !isStandIn(file))
      .filter((file) => importsOf(file).some(isSdk));
    expect(wrong).toEqual([]);
  });

  test('the walk itself sees an import that crosses a fence', () => {
    expect([...reachedFrom('lambdas/adapters/entry/rotation.ts')].some(isSdk)).toBe(true);
    expect([...reachedFrom('lib/deployment/resolve.ts')]).toContain('lambdas/contract/errors.ts');
  });
});

describe('tables and files', () => {
  const idsOf = (folder: string, except: readonly string[]) =>
    readdirSync(`${root}${folder}`)
      .map((file) => basename(file, '.ts'))
      .filter((id) => !except.includes(id));

  test('each secret class is one file of its name and one line of the registry', () => {
    expect(
      idsOf('lambdas/classes', ['registry', 'generated-value', 'hmac-key', 'data-key', 'single-data-key']),
    ).toEqual([...classIds].sort());
    for (const id of classIds) expect(classOf(id)?.id).toBe(id);
  });

  test('each codec is one file of its name and one line of the registry', () => {
    const parts = [
      'registry',
      'gcm',
      'gcm-layout',
      'key-derivation',
      'random-block',
      'ring-cipher',
      'cbc-messages',
      'hmac-messages',
      'text-encoding',
    ];
    expect(idsOf('lambdas/ciphers', parts)).toEqual([...codecIds].sort());
    for (const id of codecIds) expect(codecOf(id)?.id).toBe(id);
  });

  test('each stage is one file of its name, one line of its table and one row of the contract', () => {
    const files = new Set(
      idsOf('lambdas/rollout', [
        'stages',
        'start',
        'secret-of',
        'rollout-event',
        'still-current',
        'failure-reason',
        'fleet-of',
        'instance-tally',
        'class-of',
        'old-documents',
        'data-keys',
        'pin',
        'consumers',
        'publish-phase',
        'stopped-mark',
        'range-results',
      ]),
    );
    expect(files).toEqual(new Set(Object.keys(stageDefinitions)));
    expect(files).toEqual(new Set(Object.keys(stages)));
    for (const [id, stage] of Object.entries(stageDefinitions)) expect(stage.id).toBe(id);
  });

  test('each hook kind is one file of its name and one line of its table', () => {
    expect(idsOf('lambdas/hooks/redeploy', ['kinds'])).toEqual([...redeployKinds.keys()].sort());
    expect(idsOf('lambdas/hooks/probe', ['kinds', 'answer', 'address', 'exchange'])).toEqual(
      [...probeKinds.keys()].sort(),
    );
    expect(idsOf('lambdas/hooks/instances', ['kinds', 'fleet', 'list', 'patience'])).toEqual(
      [...fleetKinds.keys()].sort(),
    );
    const partsOfHttp = ['http-answer', 'http-calls', 'http-members', 'http-progress'];
    expect(idsOf('lambdas/hooks/reencrypt', ['kinds', 'names', ...partsOfHttp])).toEqual(
      [...reencryptKinds.keys()].sort(),
    );
  });

  test('each kind of consumer has its adapter, one file of its name', () => {
    expect(new Set(idsOf('lambdas/adapters/consumers', []))).toEqual(new Set(redeployKinds.keys()));
    expect(new Set(idsOf('lambdas/adapters/instances', []))).toEqual(new Set(fleetKinds.keys()));
    expect(new Set(idsOf('lambdas/adapters/reencrypt', []))).toEqual(new Set(reencryptKinds.keys()));
    for (const engine of idsOf('lambdas/adapters/targets', ['cannot'])) {
      expect(Object.keys(defaultPorts)).toContain(engine);
    }
  });

  test('each class names a plan that exists', () => {
    for (const id of classIds)
      expect(Object.keys(plans)).toEqual(expect.arrayContaining([...(classOf(id)?.plans ?? ['none'])]));
  });

  test.each(platformIds)('the catalog of %s names known classes, options and probes', (platform) => {
    const catalog = catalogOf(platform);
    expect(catalog.platform).toBe(platform);
    for (const [key, secret] of Object.entries(catalog.secrets)) {
      // Most documents do not tell how their ciphertexts are laid out, or where a server answers: that is for the
      // deployment to say.
      const definition = classOf(secret.class);
      const options = {
        ...((definition?.reencryption ?? null) === null ? {} : { codec: { id: 'fernet' } }),
        ...(definition?.id === 'database-credential'
          ? { fixed: { host: 'db.example.com', user: 'app' } }
          : {}),
        ...secret.options,
      };
      expect({ key, parsed: classOf(secret.class)?.parse(options) }).toMatchObject({
        key,
        parsed: { ok: true },
      });
      if (secret.probe === undefined) continue;
      const { path, ...probe } = secret.probe;
      const whole = path === undefined ? probe : { ...probe, url: `https://platform.example.com${path}` };
      expect({ key, bound: probeKinds.get(secret.probe.kind)?.bind(whole) }).toMatchObject({
        key,
        bound: { ok: true },
      });
    }
  });
});
