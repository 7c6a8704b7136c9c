import { expect, test } from 'vitest';
import type { StageContext } from '../../../lambdas/contract/stage.ts';
import { stage } from '../../../lambdas/rollout/roll-back.ts';

test('a version that was brought back is not given up for the one that it replaced', async () => {
  const self = 'arn:aws:lambda:eu-central-1:111122223333:function:keyturn-x';
  const secret = {
    key: 'KEY',
    id: 'app/key',
    class: 'opaque-token',
    options: {},
    plan: 'redeploy-and-prove',
    restorable: true,
    window: null,
    together: false,
    consumers: [],
    probe: null,
  };
  // No port is given: the refusal comes before anything is asked or moved.
  const context = {
    self,
    settings: { schema: 1, deployment: 'x', platform: 'x', secrets: [secret] },
    ports: {},
  } as unknown as StageContext;
  const state = {
    schema: 1,
    secretId: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf',
    versionId: 'restored',
    previousVersionId: 'given-up',
    plan: 'redeploy-and-prove',
    publishedAt: '2026-11-21T12:00:00Z',
    attempt: 2,
    rolledBackFrom: 'given-up',
  };
  await expect(stage.run(state, context)).rejects.toMatchObject({ code: 'NotRestorable' });
});
