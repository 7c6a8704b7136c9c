import { describe, expect, test } from 'vitest';
import type { RolloutState } from '../../../lambdas/contract/rollout-state.ts';
import type { StageContext } from '../../../lambdas/contract/stage.ts';
import { stage } from '../../../lambdas/rollout/roll-back.ts';

const self = 'arn:aws:lambda:eu-central-1:111122223333:function:keyturn-x';

/** No port is given: what is decided here is decided before anything is asked or moved. */
function contextOf(secretClass: string, plan: string): StageContext {
  const secret = {
    key: 'KEY',
    id: 'app/key',
    class: secretClass,
    options: {},
    plan,
    restorable: true,
    window: null,
    together: false,
    consumers: [],
    probe: null,
  };
  return {
    self,
    settings: { schema: 1, deployment: 'x', platform: 'x', secrets: [secret] },
    ports: {},
  } as unknown as StageContext;
}

function stateOf(plan: string, members: Partial<RolloutState>): RolloutState {
  return {
    schema: 1,
    secretId: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf',
    versionId: 'restored',
    previousVersionId: 'given-up',
    plan,
    publishedAt: '2026-11-21T12:00:00Z',
    attempt: 2,
    ...members,
  };
}

test('a version that was brought back is not given up for the one that it replaced', async () => {
  const state = stateOf('redeploy-and-prove', { rolledBackFrom: 'given-up' });
  const context = contextOf('opaque-token', 'redeploy-and-prove');
  await expect(stage.run(state, context)).rejects.toMatchObject({ code: 'NotRestorable' });
});

describe('a plan that moves data', () => {
  const plan = 'overlap-and-reencrypt';
  const context = contextOf('encryption-keyring', plan);

  test('goes on with the way back where that had begun before', async () => {
    const state = stateOf(plan, { rolledBackFrom: 'given-up', goBack: true });
    await expect(stage.run(state, context)).resolves.toEqual(state);
  });

  test('does not go back from a version whose old key is gone', async () => {
    const state = stateOf(plan, { phase: 'retired', lastProvenVersionId: 'promoted' });
    await expect(stage.run(state, context)).rejects.toMatchObject({
      code: 'NotRestorable',
      message:
        'The old key of KEY is retired: nothing was under it any more, so there is nothing to go back to.',
    });
  });
});
