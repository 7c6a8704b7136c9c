import { command } from '../contract/commands.ts';
import { completedTag, rolledBackTag } from '../contract/marks.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { reasonOf } from './failure-reason.ts';
import { rolloutEvent } from './rollout-event.ts';
import { secretOf } from './secret-of.ts';
import { runsAgain } from './stopped-mark.ts';

/** Records on the secret that the previous version runs everywhere again, then reports it. Both may be repeated. */
export const stage: StageDefinition = {
  id: 'rolled-back',
  secretActions: ['secretsmanager:TagResource'],
  readsValues: false,
  putsEvents: true,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const givenUp = state.rolledBackFrom ?? '';
    await context.ports.secrets.tag(
      state.secretId,
      new Map([[completedTag, state.versionId], [rolledBackTag, givenUp], ...runsAgain(state)]),
    );
    await context.ports.events.put(
      rolloutEvent('Rollout Rolled Back', state, secret, context, {
        at: 'rolled-back',
        code: state.failure?.Error ?? 'Internal',
        reason: `${reasonOf(state)} Version ${givenUp} was given up.`,
        works: 'The version that worked before is current again, and every consumer runs with it.',
        next: command('rotate', secret.key),
      }),
    );
    const of = { Deployment: context.settings.deployment, Secret: secret.key };
    context.ports.metrics.put({ metric: 'RolloutRolledBack', value: 1, of });
    return state;
  },
};
