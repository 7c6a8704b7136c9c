/**
 * What a rehearsal does to a secret: the plain rotation, other ways to begin one, and faults. A scenario is a
 * row here; which secrets it takes is a question to the class's declaration, never to an id.
 */
import type { Operator } from '../../lambdas/adapters/aws/operator.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { nameOf } from '../pipeline-function.ts';
import type { AccountClient } from './endpoint/account-client.ts';
import type { ReportOutcome } from './report.ts';
import type { StagedDeployment, StagedSecret } from './stage-deployment.ts';

/** What a scenario works with. */
export interface Stage {
  readonly client: AccountClient;
  readonly operator: Operator;
  readonly deployment: StagedDeployment;
  readonly secret: StagedSecret;
  readonly secretId: string;
  /** Number of the next value that a person supplies for this secret. */
  nextRound(): number;
}

export interface Scenario {
  readonly id: string;
  readonly expected: ReportOutcome;
  /** Once a platform: on the first secret that it fits; else on every secret that it fits. */
  readonly once: boolean;
  fits(secret: StagedSecret): boolean;
  /** Begins the rotation. @returns its token. */
  begin(stage: Stage): Promise<string>;
  /** What a person does afterwards to leave the secret as it was. */
  readonly clear: ((stage: Stage) => Promise<void>) | null;
}

const rotates = ({ resolved }: StagedSecret) => resolved.class.admission !== 'guarded';
const generated = (secret: StagedSecret) => rotates(secret) && !secret.resolved.class.supplied;

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
    // "Rotate secret immediately" in the console.
    id: 'rotate',
    expected: 'completed',
    once: false,
    fits: rotates,
    async begin(stage) {
      await supplyIfAsked(stage);
      return stage.operator.rotate(stage.secretId);
    },
    clear: null,
  },
  {
    // The second begins as soon as Secrets Manager has closed the first, whatever its rollout does.
    id: 'twice in a row',
    expected: 'completed',
    once: true,
    fits: generated,
    async begin({ operator, secretId }) {
      await operator.rotate(secretId);
      return rotateWhenFree(operator, secretId);
    },
    clear: null,
  },
  {
    // The function dies after its write, the answer of the move is lost, and the event comes twice.
    id: 'crash, lost answer, doubled event',
    expected: 'completed',
    once: true,
    fits: generated,
    async begin({ client, operator, deployment, secret, secretId }) {
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

/** A person gets a new value, leaves it for the rotation, and will revoke the old one. */
async function supplyIfAsked(stage: Stage): Promise<void> {
  const { secret, operator, secretId } = stage;
  if (!secret.resolved.class.supplied) return;
  const variables = secret.person?.supply(stage.nextRound()) ?? { ...secret.initial };
  await operator.supply(secretId, new Sensitive(JSON.stringify(variables)));
}

/** RotateSecret is refused while a rotation is under way. */
async function rotateWhenFree(operator: Operator, secretId: string): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await operator.rotate(secretId);
    } catch (caught) {
      if (tries > 400) throw caught;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
