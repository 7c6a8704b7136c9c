/** A class that logs in with another secret's member: which functions may read that secret, and use its key. */
import { expect, it, vi } from 'vitest';
import { resolved, templatesOf } from './synth.ts';
import { object } from './template.ts';

vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const kmsKey = 'arn:aws:kms:eu-west-1:111122223333:key/admin';
const adminArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds/master-AbCdEf';

const deploymentWith = (name: string, secret: string, key: object) => ({
  name,
  platform: 'exo',
  secrets: {
    SHOP: {
      class: 'database-credential',
      options: {
        dsn: 'DATABASE_URL',
        users: ['app_a', 'app_b'],
        owner: 'app_owner',
        admin: {
          user: { secret, member: 'username', ...key },
          password: { secret, member: 'password', ...key },
        },
      },
      source: { import: { name: 'team/shop' } },
      consumers: ['worker'],
    },
    ADMIN: {
      class: 'opaque-token',
      options: { variable: 'ADMIN', format: { encoding: 'base64', bytes: 48 } },
      source: { import: { name: 'team/admin', kmsKey } },
      consumers: [],
    },
  },
  consumers: { worker: { kind: 'ecs', cluster: 'main', service: 'worker' } },
});

const ownAdmin = 'arn:<Partition>:secretsmanager:<Region>:<AccountId>:secret:team/admin-??????';
const viaService = { 'kms:ViaService': 'secretsmanager.<Region>.amazonaws.com' };
const cases: [name: string, deployment: object, readable: string, condition: object][] = [
  [
    'own',
    deploymentWith('own', 'ADMIN', {}),
    ownAdmin,
    {
      StringEquals: viaService,
      StringLike: { 'kms:EncryptionContext:SecretARN': [ownAdmin] },
    },
  ],
  ['other', deploymentWith('other', adminArn, { kmsKey }), adminArn, { StringEquals: viaService }],
];
const templates = templatesOf(...cases.map(([, deployment]) => resolved(deployment)));

it.each(cases.map((one, index) => [...one, templates[index]] as const))(
  'the functions that log in may read it, and no others: %s',
  (name, _deployment, readable, condition, template) => {
    const given = (id: string) => template?.statementsOf(`keyturn-${name}-${id}`) ?? [];
    const decrypts = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: kmsKey, Condition: condition };
    const reads = (id: string) =>
      given(id).some(
        (statement) =>
          object(statement).Effect === 'Allow' &&
          JSON.stringify(object(statement).Action).includes('secretsmanager:GetSecretValue') &&
          [object(statement).Resource].flat().includes(readable),
      );
    for (const id of ['database-credential', 'drain', 'disable']) {
      expect([id, reads(id)]).toEqual([id, true]);
      expect(given(id).filter((statement) => JSON.stringify(statement).includes(kmsKey))).toEqual([decrypts]);
    }
    for (const id of ['redeploy', 'verify', 'complete', 'roll-back']) {
      expect([id, reads(id), JSON.stringify(given(id)).includes(kmsKey)]).toEqual([id, false, false]);
    }
  },
);
