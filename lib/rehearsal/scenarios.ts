/**
 * What a rehearsal does to a secret: the plain rotation, other ways to begin one, and faults. A scenario is a
 * row here; which secrets it takes is a question to the class's declaration, never to an id.
 */
import type { Operator } from '../../lambdas/adapters/aws/operator.ts';
import { consentTag } from '../../lambdas/contract/marks.ts';
import type { Rollouts } from '../../lambdas/contract/ports.ts';
import { parseRolloutState } from '../../lambdas/contract/rollout-state.ts';
import { isInWindow } from '../../lambdas/contract/schedule.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { executionName } from '../../lambdas/rollout/start.ts';
import { nameOf } from '../pipeline-function.ts';
import type { AccountClient } from './endpoint/account-client.ts';
import type { ReportOutcome } from './report.ts';
import type { StagedDeployment, StagedSecret } from './stage-deployment.ts';

/** What a scenario works with. */
export interface Stage {
  readonly client: AccountClient;
  readonly operator: Operator;
  readonly rollouts: Rollouts;
  readonly deployment: StagedDeployment;
  readonly secret: StagedSecret;
  readonly secretId: string;
  /** The platform's other secrets. */
  readonly others: readonly Stage[];
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
  fits(secret: StagedSecret, others: readonly StagedSecret[]): boolean;
  /** Begins the rotation. @returns its token. */
  begin(stage: Stage): Promise<string>;
  /** Hears which step or stage runs now: a world that changes on the way. */
  onProgress?(stage: Stage, what: string): Promise<void>;
  /** What must hold at the end beside the outcome. @returns the sentence of what did not, or null. */
  verify?(stage: Stage): Promise<string | null>;
  /** True: it goes on with the rollout of the scenario before, and rotates nothing. Default: it rotates. */
  readonly resumes?: boolean;
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
    // Two secrets of one consumer that finish together: one restart serves both.
    id: 'two together',
    expected: 'completed',
    once: true,
    fits: (secret, others) => generated(secret) && others.some((other) => sharesConsumers(secret, other)),
    async begin(stage) {
      const other = companionOf(stage);
      // A cold start would part them by more than the shortened wait: on AWS that is 20 seconds.
      await warm(stage);
      await warm(other);
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
      return restarts === consumers
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

/** Milliseconds that pass before the reconciler looks: longer than it leaves to an event and to its own slots. */
const unheardFor = 3 * 60_000;

/** Rotates while the event that would start the rollout does not arrive, and lets time pass. */
async function rotateUnheard(
  stage: Stage,
  fault: { readonly kind: 'drop' } | { readonly kind: 'delay'; readonly milliseconds: number },
): Promise<string> {
  await consentIfAsked(stage);
  await stage.client.faultEvent({ ...fault, pattern: { 'detail-type': ['Rotation Finished'] }, times: 1 });
  const token = await stage.operator.rotate(stage.secretId);
  await closed(stage, token);
  await stage.client.advance(unheardFor);
  return token;
}

/** Lets the late event arrive. Whoever comes second, event or reconciler, starts nothing. */
async function startedOnce({ client, operator, secretId }: Stage): Promise<string | null> {
  await client.advance(unheardFor);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { versionId } = await operator.read(secretId, 'AWSCURRENT');
  const rollouts = (await client.executions()).filter(({ input }) => input.includes(versionId));
  return rollouts.length === 1 ? null : `${rollouts.length} rollouts of version ${versionId}.`;
}

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

/** A secret that ends no session and has the same consumers: what is rotated beside another one. */
function sharesConsumers(secret: StagedSecret, other: StagedSecret): boolean {
  const names = ({ resolved }: StagedSecret) => resolved.settings.consumers.map(({ name }) => name).join();
  return generated(other) && !other.resolved.class.cutover && names(secret) === names(other);
}

function companionOf({ secret, others }: Stage): Stage {
  const found = others.find((other) => sharesConsumers(secret, other.secret));
  if (found === undefined) throw new Error(`${secret.resolved.key} has no companion.`);
  return found;
}

/** Starts a rotation function with an event that it refuses before it touches anything. */
async function warm({ client, deployment, secret }: Stage): Promise<void> {
  await client.invoke(nameOf(deployment.resolved.name, secret.resolved.class.id), {});
}

/** Waits until no rollout runs: the companion's may take a little longer than the one that was followed. */
async function rolloutsOver({ client }: Stage): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await client.executions()).every(({ status }) => status !== 'RUNNING')) return;
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** Starts the rollout of the current version once more, under its next name: what `resume` of the CLI does. */
async function nextAttempt({ client, operator, rollouts, secret, secretId }: Stage): Promise<string> {
  const { versionId } = await operator.read(secretId, 'AWSCURRENT');
  const latest = (await client.executions()).findLast(({ input }) => input.includes(versionId));
  if (latest === undefined) throw new Error(`${secret.resolved.key} has no rollout to resume.`);
  const before = parseRolloutState(JSON.parse(latest.input));
  const state = { ...before, attempt: before.attempt + 1 };
  const name = executionName(secret.resolved.key, state);
  await rollouts.start(latest.stateMachineArn, name, JSON.stringify(state));
  return versionId;
}

/** The event of the stall must name exactly these instances, with the count of the others. */
async function namesFailed({ client, secretId }: Stage, ids: readonly string[]): Promise<string | null> {
  const { items } = await client.events();
  const stalled = items.findLast(
    ({ event }) =>
      JSON.stringify(event).includes('InstancesFailed') && JSON.stringify(event).includes(secretId),
  );
  const text = JSON.stringify(stalled?.event ?? {});
  return ids.every((id) => text.includes(id)) && text.includes('498')
    ? null
    : `The event of the stall must name ${ids.join(' and ')} and count 498 others.`;
}
