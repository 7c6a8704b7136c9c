import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { redeployKinds } from '../../lambdas/hooks/redeploy/kinds.ts';
import { deploymentFiles, readDeployments } from '../../lib/deployment/read.ts';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-deployment-'));
const file = join(directory, 'team.json');

/** A deployment that is right; each row below breaks one thing in it. */
const right = {
  name: 'team',
  platform: 'ocore',
  url: 'https://ocore.example.com',
  secrets: {
    JWT_SECRET: {
      source: { create: { name: 'team/jwt' } },
      schedule: { cron: 'cron(0 2 1 * ? *)', window: '2h' },
      consumers: ['backend'],
    },
  },
  consumers: { backend: { kind: 'ecs', cluster: 'team', service: 'backend' } },
};
const secret = (members: object) => ({
  secrets: { JWT_SECRET: { ...right.secrets.JWT_SECRET, ...members } },
});
const scheduled = (cron: string, window: string) => secret({ schedule: { cron, window } });

it('a deployment that is right is taken', () => {
  const [deployment] = readDeployments([written(right)]);
  expect(deployment).toMatchObject({ name: 'team', logRetentionDays: 90, emails: [] });
});

describe('a deployment is refused with the field, the rule and what was received:', () => {
  it.each<[string, object, string]>([
    [
      'a platform that is not in the catalog',
      { platform: 'exoo' },
      'platform must be one of crewai, exo, kaireon, ocore, tessallite; received "exoo".',
    ],
    [
      'a class that is not in the registry',
      secret({ class: 'opaque' }),
      'secrets.JWT_SECRET.class must be one of opaque-token, shared-token, signing-key-cutover, instance-token-key, signing-key-overlap, encryption-keyring, versioned-encryption-key, envelope-root-key, encryption-key, database-credential, redis-credential, operator-supplied, observed, guarded; received "opaque".',
    ],
    [
      'a secret that the platform has not, without a class',
      { secrets: { JWT: right.secrets.JWT_SECRET } },
      'secrets.JWT must be a secret of the platform ocore (JWT_SECRET, HEALTH_CHECK_TOKEN, SSH_ENCRYPTION_KEY, DATABASE_URL), or have the field class.',
    ],
    [
      'a variable that must not be set anywhere',
      {
        platform: 'crewai',
        secrets: { RAILS_MASTER_KEY: { ...right.secrets.JWT_SECRET, class: 'opaque-token' } },
      },
      'secrets.RAILS_MASTER_KEY must not name RAILS_MASTER_KEY: the chart configures Rails in another way and asks not to set it anywhere.',
    ],
    [
      'a key of instances without their list',
      {
        platform: 'crewai',
        secrets: { DEPLOYMENT_INSTANCE_JWT_SECRET: { source: { create: { name: 'i' } }, consumers: [] } },
      },
      'secrets.DEPLOYMENT_INSTANCE_JWT_SECRET.instances must say how the platform lists, redeploys and confirms its instances: the class instance-token-key redeploys each of them; it is missing.',
    ],
    [
      'a list of instances where none are redeployed',
      secret({ instances: { kind: 'http' } }),
      'secrets.JWT_SECRET.instances must be left out: the class signing-key-cutover redeploys consumers only.',
    ],
    [
      'a probe at a service without an address',
      secret({ probe: { kind: 'jwt', at: 'collector' } }),
      'secrets.JWT_SECRET.probe.at must be one of urls (there are none); received "collector".',
    ],
    [
      'a field that nobody knows',
      { secret: {} },
      'the whole must not have the field secret: no such field is known.',
    ],
    [
      'a field of a secret that nobody knows',
      secret({ rotateOnDeploy: true }),
      'secrets.JWT_SECRET must not have the field rotateOnDeploy: no such field is known.',
    ],
    [
      'a value for a created secret',
      secret({ source: { create: { name: 'team/jwt', value: 'no' } } }),
      'secrets.JWT_SECRET.source.create must not have the field value: no such field is known.',
    ],
    [
      'a rate() schedule',
      scheduled('rate(30 days)', '2h'),
      'secrets.JWT_SECRET.schedule: cron must be a cron() expression of six fields; received "rate(30 days)".',
    ],
    [
      'a window that crosses midnight UTC',
      scheduled('cron(0 23 1 * ? *)', '2h'),
      'secrets.JWT_SECRET.schedule: window must end by midnight UTC; it starts at 23:00 and lasts 2h.',
    ],
    [
      'a window without a unit',
      scheduled('cron(0 2 1 * ? *)', '2'),
      'secrets.JWT_SECRET.schedule: window must be a number of hours from 1h to 24h; received "2".',
    ],
    [
      'a schedule for a guarded secret',
      secret({
        class: 'guarded',
        options: {
          variable: 'JWT_SECRET',
          format: { encoding: 'hex', bytes: 32 },
          breaks: 'every stored API-key hash becomes invalid',
        },
      }),
      "secrets.JWT_SECRET.schedule must be left out: the class guarded rotates only with a person's consent.",
    ],
    [
      'a schedule for a value that a person supplies',
      secret({ class: 'operator-supplied', options: { variable: 'JWT_SECRET' } }),
      'secrets.JWT_SECRET.schedule must be left out: the class operator-supplied rotates on demand, when a person has supplied a value.',
    ],
    [
      'a reminder for a value that nobody supplies',
      secret({ remindAfterDays: 90 }),
      'secrets.JWT_SECRET.remindAfterDays must be left out: the class signing-key-cutover makes its values itself, so there is nothing to remind a person of.',
    ],
    [
      'a reconciler that hardly ever looks',
      { reconcileEveryMinutes: 120 },
      'reconcileEveryMinutes must be at most 60; received 120.',
    ],
    [
      'a format that is too short for the rules',
      secret({
        class: 'opaque-token',
        options: {
          variable: 'JWT_SECRET',
          format: { encoding: 'alphanumeric', length: 24 },
          rules: { minimumLength: 32 },
        },
      }),
      'secrets.JWT_SECRET: options.format makes 24 characters; options.rules.minimumLength asks for 32.',
    ],
    [
      'a consumer that is not declared',
      secret({ consumers: ['frontend'] }),
      'secrets.JWT_SECRET.consumers must name members of consumers; received "frontend".',
    ],
    [
      'a consumer of kind process, outside a rehearsal',
      { consumers: { backend: { kind: 'process', command: ['node', 'app.js'] } } },
      `consumers.backend.kind must be one of ${[...redeployKinds.keys()].join(', ')}; received "process". A process can be named for a rehearsal only.`,
    ],
    [
      'two secrets of one source',
      {
        secrets: {
          JWT_SECRET: right.secrets.JWT_SECRET,
          HEALTH_CHECK_TOKEN: { source: { create: { name: 'team/jwt' } }, consumers: [] },
        },
      },
      'secrets must each have their own source; team/jwt is named twice.',
    ],
    ['no secret at all', { secrets: {} }, 'secrets must name at least one secret; it is empty.'],
  ])('%s', (_what, broken, sentence) => {
    expect(refusalOf({ ...right, ...broken })).toBe(`${file}: ${sentence}`);
  });

  it('text that is not JSON', () => {
    expect(refusalOf('{ "name": ')).toMatch(/^\S+team\.json must be JSON: /);
  });

  it('two files of one name', () => {
    const path = written(right);
    expect(thrownBy(() => readDeployments([path, path]))).toBe(
      `${file}: name must be of one deployment only; ${file} has "team" too.`,
    );
  });

  it('a file that is not there', () => {
    expect(thrownBy(() => readDeployments(['nowhere.json']))).toBe(
      'The deployment file nowhere.json cannot be read.',
    );
  });
});

describe('the context value deployment', () => {
  it('names files, parted by commas; left out, both examples', () => {
    expect(deploymentFiles('a.json, b.json')).toEqual(['a.json', 'b.json']);
    expect(deploymentFiles(undefined).map((path) => path.split('/').at(-1))).toEqual([
      'exo.json',
      'ocore.json',
    ]);
  });

  it.each([[''], ['a.json,'], [7], [['a.json']]])('is refused when it is %j', (value) => {
    expect(thrownBy(() => deploymentFiles(value))).toBe(
      `The context value deployment must be the path of a deployment file, or several parted by commas; received ${JSON.stringify(value)}.`,
    );
  });
});

function written(content: unknown): string {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function refusalOf(content: unknown): string {
  const path = written(content);
  return thrownBy(() => readDeployments([path]));
}

function thrownBy(act: () => unknown): string {
  try {
    act();
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'DeploymentInvalid') return caught.message;
    throw caught;
  }
  return 'nothing was thrown';
}
