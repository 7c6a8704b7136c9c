/**
 * What a rehearsal does to a secret: the plain rotation, other ways to begin one, and faults. A scenario is a
 * row here; which secrets it takes is a question to the class's declaration, never to an id.
 */
import type { Operator } from '../../lambdas/adapters/aws/operator.ts';
import { consentTag } from '../../lambdas/contract/marks.ts';
import { isInWindow } from '../../lambdas/contract/schedule.ts';
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
  /** Number of the next consent to a rotation of this secret. */
  nextConsent(): number;
}

export interface Scenario {
  readonly id: string;
  readonly expected: ReportOutcome;
  /** Once a platform: on the first secret that it fits; else on every secret that it fits. */
  readonly once: boolean;
  fits(secret: StagedSecret): boolean;
  /** Begins the rotation. @returns its token. */
  begin(stage: Stage): Promise<string>;
  /** Hears which step or stage runs now: a world that changes on the way. */
  onProgress?(stage: Stage, what: string): Promise<void>;
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
    // Sessions would end in the middle of the day, and nobody has said yes to that.
    id: 'outside its window',
    expected: 'refused',
    once: true,
    fits: isOutsideWindow,
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
      await consentIfAsked(stage);
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
    fits: generated,
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

/** Outside its window, or for a guarded class, a rotation needs a person's word: one for each rotation. */
async function consentIfAsked({ operator, secret, secretId, client, nextConsent }: Stage): Promise<void> {
  const { window } = secret.resolved.settings;
  if (window === null && secret.resolved.class.admission !== 'guarded') return;
  const { now } = await client.health();
  const until = new Date(now + 3_600_000).toISOString();
  await operator.tag(secretId, consentTag, `${until} rehearsal: rotation ${nextConsent()}`);
}

function isOutsideWindow({ resolved }: StagedSecret): boolean {
  const { window } = resolved.settings;
  return window !== null && !isInWindow(window, new Date());
}

async function broken({ client, deployment }: Stage, is: boolean): Promise<void> {
  for (const { cluster, service } of deployment.consumers) await client.breakService(cluster, service, is);
}

/** Waits until Secrets Manager has closed a rotation: before that, it refuses the next one. */
async function closed({ client }: Stage, token: string): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const run = (await client.rotations()).find((one) => one.token === token);
    if (run?.status === 'succeeded') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`The rotation ${token} was not closed in time.`);
}
