import { expect, test } from 'vitest';
import type { StageContext } from '../../../lambdas/contract/stage.ts';
import { stage } from '../../../lambdas/rollout/settle.ts';

const state = {
  schema: 1,
  secretId: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf',
  versionId: 'promoted',
  previousVersionId: 'before',
  plan: 'quiesce-and-sweep',
  publishedAt: '2026-11-21T12:00:00Z',
  attempt: 2,
  goBack: true,
};

test.each([
  ['goes back when it is asked to', 'promoted', 'RollBackAsked'],
  ['does not, and stops no consumer, when a later version is current', 'later', 'Superseded'],
])('%s', async (_what, current, code) => {
  const labels = new Map([[current, ['AWSCURRENT']]]);
  const secrets = { describe: async () => ({ labels, lastRotatedAt: null, name: 'app/key' }) };
  const context = { ports: { secrets } } as unknown as StageContext;
  await expect(stage.run(state, context)).rejects.toMatchObject({ code });
});
