/**
 * What a rehearsal does to a secret: the plain rotation, other ways to begin one, and faults. A scenario is a
 * row here; which secrets it takes is a question to the class's declaration, never to an id.
 */

import { keepsOldValue } from '../../lambdas/contract/plan.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { nameOf } from '../pipeline-function.ts';
import {
  broken,
  closed,
  companionOf,
  consentIfAsked,
  endedTogether,
  generated,
  goneBackFrom,
  isGoingBack,
  isOneWay,
  isOutsideWindow,
  isPromoting,
  movesData,
  namesFailed,
  nextAttempt,
  rolloutsOver,
  rotates,
  rotateUnheard,
  type Stage,
  saysHowToGoOn,
  sharesConsumers,
  startedOnce,
  supplyIfAsked,
  unheardFor,
  warm,
} from './acts.ts';
import type { Scenario } from './scenario.ts';
import { undeclaredApplication } from './undeclared.ts';

/** Takes away what a refused rotation left: one command. */
const clearPending = ({ operator, secretId }: Stage) => operator.clearPending(secretId);

export const scenarios: readonly Scenario[] = [
  {
    // A person who rotates before supplying a value: the first thing that goes wrong with such a secret.
    id: 'nothing supplied',
    expected: 'refused',
    once: false,
    fits: ({ resolved }) => resolved.class.supplied,
    begin: ({ operator, secretId }) => operator.rotate(secretId),
    clear: clearPending,
  },
  {
    id: 'without consent',
    expected: 'refused',
    once: false,
    fits: ({ resolved }) => resolved.class.admission === 'guarded',
    begin: ({ operator, secretId }) => operator.rotate(secretId),
    clear: clearPending,
  },
  {
    // Sessions would end in the middle of the day, and nobody has said yes to that.
    id: 'outside its window',
    expected: 'refused',
    once: true,
    fits: isOutsideWindow,
    begin: ({ operator, secretId }) => operator.rotate(secretId),
    clear: clearPending,
  },
  {
    // A person said yes to it. Two of the platform's instances do not come up again, whatever is tried.
    id: 'two instances never come up',
    expected: 'stalled',
    once: true,
    fits: ({ resolved }) => resolved.fleet !== null,
    async begin(stage) {
      await consentIfAsked(stage);
      return stage.operator.rotate(stage.secretId);
    },
    verify: (stage) => namesFailed(stage, ['automation-137', 'automation-404']),
    clear: null,
  },
  {
    // Somebody repairs the two, and has the rollout go on: the others are left alone.
    id: 'resumed',
    expected: 'completed',
    once: true,
    resumes: true,
    fits: ({ resolved }) => resolved.fleet !== null,
    async begin(stage) {
      await stage.deployment.heal?.();
      return nextAttempt(stage);
    },
    clear: null,
  },
  {
    // "Rotate secret immediately" in the console.
    id: 'rotate',
    expected: 'completed',
    once: false,
    fits: rotates,
    async begin(stage) {
      await supplyIfAsked(stage);
      await consentIfAsked(stage);
      return stage.operator.rotate(stage.secretId);
    },
    clear: null,
  },
  {
    // The second begins as soon as Secrets Manager has closed the first, whatever its rollout does.
    // A key of stored data waits for the end of the former rotation where a platform holds two at most.
    id: 'twice in a row',
    expected: 'completed',
    once: true,
    // So does a login whose old value works until its rollout takes it away.
    fits: (secret) => generated(secret) && !movesData(secret) && !keepsOldValue(secret.resolved.plan),
    async begin(stage) {
      await consentIfAsked(stage);
      const first = await stage.operator.rotate(stage.secretId);
      await closed(stage, first);
      await consentIfAsked(stage);
      return stage.operator.rotate(stage.secretId);
    },
    clear: null,
  },
  {
    // Two secrets of one consumer that finish together: one restart serves both.
    id: 'two together',
    expected: 'completed',
    once: true,
    // Beside a secret whose restart ends sessions: there a second restart would be felt.
    fits: (secret, others) =>
      generated(secret) && secret.resolved.cutover && others.some((other) => sharesConsumers(secret, other)),
    beside: companionOf,
    async begin(stage) {
      const other = companionOf(stage);
      // A cold start would part them by more than the shortened wait: on AWS that is 20 seconds.
      await warm(stage);
      await warm(other);
      await supplyIfAsked(other);
      await consentIfAsked(stage);
      await consentIfAsked(other);
      const [token] = await Promise.all([
        stage.operator.rotate(stage.secretId),
        other.operator.rotate(other.secretId),
      ]);
      return token;
    },
    async verify(stage) {
      await rolloutsOver(stage);
      const restarts = (await stage.client.calls())
        .filter(({ service, operation }) => service === 'ecs' && operation === 'UpdateService')
        .reduce((sum, { count }) => sum + count, 0);
      const consumers = stage.secret.resolved.settings.consumers.length;
      // On a machine so busy that they ended further apart than the shortened wait, each restart was due.
      const due = (await endedTogether(stage)) ? consumers : 2 * consumers;
      return restarts === consumers || restarts === due
        ? null
        : `${restarts} restarts for ${consumers} consumers of two secrets.`;
    },
    clear: null,
  },
  {
    // The function dies after its write, the answer of the move is lost, and the event comes twice.
    id: 'crash, lost answer, doubled event',
    expected: 'completed',
    once: true,
    fits: generated,
    async begin(stage) {
      const { client, operator, deployment, secret, secretId } = stage;
      await consentIfAsked(stage);
      const functionName = nameOf(deployment.resolved.name, secret.resolved.class.id);
      await client.faultCall({ kind: 'crash-after', operation: 'PutSecretValue', functionName });
      await client.faultCall({ kind: 'lose-answer', operation: 'UpdateSecretVersionStage', functionName });
      await client.faultEvent({
        kind: 'duplicate',
        pattern: { 'detail-type': ['Rotation Finished'] },
        times: 1,
      });
      return operator.rotate(secretId);
    },
    clear: async ({ client }) => client.clearFaults(),
  },
  {
    // What starts with the new value does not become healthy; what ran before goes on serving.
    id: 'consumer never healthy',
    expected: 'rolled-back',
    once: true,
    fits: (secret) => generated(secret) && !isOneWay(secret),
    async begin(stage) {
      await consentIfAsked(stage);
      await broken(stage, true);
      return stage.operator.rotate(stage.secretId);
    },
    async onProgress(stage, what) {
      // The application can start with the previous value: it is the new one that it cannot use.
      if (what === 'roll-back' || what === 'redeploy 2') await broken(stage, false);
    },
    clear: (stage) => broken(stage, false),
  },
  {
    // The same where the server knows one value only: there is no way back, and the rollout says how to go on.
    id: 'consumer never healthy',
    expected: 'stalled',
    once: true,
    fits: (secret) => generated(secret) && isOneWay(secret),
    async begin(stage) {
      await consentIfAsked(stage);
      await broken(stage, true);
      return stage.operator.rotate(stage.secretId);
    },
    verify: saysHowToGoOn,
    clear: (stage) => broken(stage, false),
  },
  {
    // Somebody repairs the application, and has the rollout go on.
    id: 'consumer repaired, resumed',
    expected: 'completed',
    once: true,
    resumes: true,
    fits: (secret) => generated(secret) && isOneWay(secret),
    begin: nextAttempt,
    clear: null,
  },
  undeclaredApplication('undeclared application', 'by itself'),
  undeclaredApplication('undeclared, sessions ended', 'by force'),
  {
    // The new key is accepted everywhere, and what should write with it does not become healthy: all goes back.
    id: 'rolled back after promote',
    expected: 'rolled-back',
    once: true,
    fits: (secret) => generated(secret) && movesData(secret),
    async begin(stage) {
      await consentIfAsked(stage);
      return stage.operator.rotate(stage.secretId);
    },
    async onProgress(stage, what) {
      if (isPromoting(stage, what)) await broken(stage, true);
      if (isGoingBack(stage, what)) await broken(stage, false);
    },
    clear: (stage) => broken(stage, false),
  },
  {
    // Every row is under the new key, and an operator wants the old one back.
    id: 'rolled back before retire',
    expected: 'rolled-back',
    once: true,
    fits: (secret) => generated(secret) && movesData(secret),
    async begin(stage) {
      await consentIfAsked(stage);
      const token = await stage.operator.rotate(stage.secretId);
      return goneBackFrom(stage, token, 'count-left');
    },
    clear: null,
  },
  {
    // Nobody starts the rollout: the reconciler's next sweep does.
    id: 'event lost',
    expected: 'completed',
    once: true,
    fits: generated,
    begin: (stage) => rotateUnheard(stage, { kind: 'drop' }),
    clear: async ({ client }) => client.clearFaults(),
  },
  {
    // The reconciler is first, and the event that comes after it starts nothing.
    id: 'event late',
    expected: 'completed',
    once: true,
    fits: generated,
    begin: (stage) => rotateUnheard(stage, { kind: 'delay', milliseconds: 2 * unheardFor }),
    verify: startedOnce,
    clear: async ({ client }) => client.clearFaults(),
  },
  {
    // Somebody pasted the bare value into the console, and then rotates.
    id: 'value that is no document',
    expected: 'refused',
    once: true,
    fits: generated,
    async begin({ operator, secretId, secret }) {
      const bare = Object.values(secret.initial)[0] ?? '';
      await operator.edit(secretId, new Sensitive(`${bare} pasted bare`));
      return operator.rotate(secretId);
    },
    async clear({ operator, secretId }) {
      // The person puts back what was there: Secrets Manager still has it.
      const { value } = await operator.read(secretId, 'AWSPREVIOUS');
      await operator.edit(secretId, value);
    },
  },
];
