/** What people and the world do in a scenario: they supply, consent, wait, break and heal. */
import * as z from 'zod/mini';
import type { Operator } from '../../lambdas/adapters/aws/operator.ts';
import type { rolloutsOf } from '../../lambdas/adapters/aws/rollouts.ts';
import { parseDocument, type SecretDocument } from '../../lambdas/contract/document.ts';
import { consentTag } from '../../lambdas/contract/marks.ts';
import { type Plan, plans } from '../../lambdas/contract/plan.ts';
import { parseRolloutState } from '../../lambdas/contract/rollout-state.ts';
import { isInWindow } from '../../lambdas/contract/schedule.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import type { StageId } from '../../lambdas/contract/stages.ts';
import { startAttempt } from '../../lambdas/rollout/start.ts';
import { nameOf } from '../pipeline-function.ts';
import type { AccountClient } from './endpoint/account-client.ts';
import type { RunServer } from './run-server.ts';
import type { StagedDeployment, StagedSecret } from './stage-deployment.ts';

/** What a scenario works with. */
export interface Stage {
  readonly client: AccountClient;
  readonly operator: Operator;
  readonly rollouts: ReturnType<typeof rolloutsOf>;
  readonly deployment: StagedDeployment;
  readonly secret: StagedSecret;
  readonly secretId: string;
  /** The run's server at which the secret is a login; null: there is none. */
  readonly server: Pick<RunServer, 'letsIn' | 'hold'> | null;
  /** The platform's other secrets. */
  readonly others: readonly Stage[];
  /** Number of the next value that a person supplies for this secret. */
  nextRound(): number;
  /** Number of the next consent to a rotation of this secret. */
  nextConsent(): number;
}

/** Whether it rotates without a person's consent to the class. */
export const rotates = ({ resolved }: StagedSecret) => resolved.class.admission !== 'guarded';
/** Whether Keyturn makes its value itself. */
export const generated = (secret: StagedSecret) => rotates(secret) && !secret.resolved.class.supplied;

/** Milliseconds that pass before the reconciler looks: longer than it leaves to an event and to its own slots. */
export const unheardFor = 3 * 60_000;

/** Rotates while the event that would start the rollout does not arrive, and lets time pass. */
export async function rotateUnheard(
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
export async function startedOnce({ client, operator, secretId }: Stage): Promise<string | null> {
  await client.advance(unheardFor);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { versionId, value } = await operator.read(secretId, 'AWSCURRENT');
  // The phases of an overlap are one rollout, named after the version that began it.
  const root = parseDocument(value, 'the value').memory?.root ?? versionId;
  const rollouts = (await client.executions()).filter(({ input }) => input.includes(root));
  return rollouts.length === 1 ? null : `${rollouts.length} rollouts of version ${root}.`;
}

/** A person gets a new value, leaves it for the rotation, and will revoke the old one. */
export async function supplyIfAsked(stage: Stage): Promise<void> {
  const { secret, operator, secretId } = stage;
  if (!secret.resolved.class.supplied) return;
  const variables = secret.person?.supply(stage.nextRound()) ?? { ...secret.initial };
  await operator.supply(secretId, new Sensitive(JSON.stringify(variables)));
}

/** Outside its window, or for a guarded class, a rotation needs a person's word: one for each rotation. */
export async function consentIfAsked({
  operator,
  secret,
  secretId,
  client,
  nextConsent,
}: Stage): Promise<void> {
  const { window } = secret.resolved.settings;
  if (window === null && secret.resolved.class.admission !== 'guarded') return;
  const { now } = await client.health();
  const until = new Date(now + 3_600_000).toISOString();
  await operator.tag(secretId, consentTag, `${until} rehearsal: rotation ${nextConsent()}`);
}

export function isOutsideWindow({ resolved }: StagedSecret): boolean {
  const { window } = resolved.settings;
  return window !== null && !isInWindow(window, new Date());
}

export async function broken({ client, deployment }: Stage, is: boolean): Promise<void> {
  for (const { cluster, service } of deployment.consumers) await client.breakService(cluster, service, is);
}

/** Waits until Secrets Manager has closed a rotation: before that, it refuses the next one. */
export async function closed({ client }: Stage, token: string): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const run = (await client.rotations()).find((one) => one.token === token);
    if (run?.status === 'succeeded') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`The rotation ${token} was not closed in time.`);
}

/**
 * A secret that ends no session and has the same consumers: what is rotated beside another one. A person may
 * have to supply its value.
 */
export function sharesConsumers(secret: StagedSecret, other: StagedSecret): boolean {
  const names = ({ resolved }: StagedSecret) => resolved.settings.consumers.map(({ name }) => name).join();
  return rotates(other) && !other.resolved.cutover && names(secret) === names(other);
}

export function companionOf({ secret, others }: Stage): Stage {
  const found = others.find((other) => sharesConsumers(secret, other.secret));
  if (found === undefined) throw new Error(`${secret.resolved.key} has no companion.`);
  return found;
}

/** Milliseconds by which two rollouts may begin apart and still share one restart: less than the shortened wait of 20 s. */
const together = 250;

/** Whether the two rollouts that began last were published closely enough to share one restart. */
export async function endedTogether({ client }: Stage): Promise<boolean> {
  const [one, other] = (await client.executions())
    .slice(-2)
    .map(({ input }) => Date.parse(parseRolloutState(JSON.parse(input)).publishedAt));
  return one !== undefined && other !== undefined && Math.abs(one - other) < together;
}

/** Starts a rotation function with an event that it refuses before it touches anything. */
export async function warm({ client, deployment, secret }: Stage): Promise<void> {
  await client.invoke(nameOf(deployment.resolved.name, secret.resolved.class.id), {});
}

/**
 * A person who supplied a value revokes the old one at its provider once the consumers have the new one: when
 * the secret's rollout is at its proof.
 *
 * @param old the value that was current before.
 */
export function personAtWork({ client, secret, secretId }: Stage, old: Sensitive): { stop(): void } {
  const { person } = secret;
  if (person === null) return { stop() {} };
  const variables = variablesOf(parseDocument(old, 'the value'));
  const timer = setInterval(() => {
    void (async () => {
      const running = (await client.executions()).filter(
        ({ status, input }) => status === 'RUNNING' && isOf(secretId, parseRolloutState(JSON.parse(input))),
      );
      for (const { arn } of running) {
        const history = await client.history(arn);
        if (
          history.some((event) => JSON.stringify(event.stateEnteredEventDetails ?? '').includes('"prove"'))
        ) {
          person.revoke(variables);
          clearInterval(timer);
        }
      }
    })().catch(() => {});
  }, 100);
  return { stop: () => clearInterval(timer) };
}

/** What a consumer that starts with a document finds in its environment. */
export function variablesOf(document: SecretDocument): Record<string, string> {
  return Object.fromEntries(document.names().map((name) => [name, document.value(name).reveal()]));
}

/** A state names its secret by the ARN: the name, a hyphen and six characters. */
function isOf(secretId: string, state: { readonly secretId: string }): boolean {
  return state.secretId === secretId || state.secretId.split(':secret:')[1]?.slice(0, -7) === secretId;
}

/** Waits until no rollout runs: the companion's may take a little longer than the one that was followed. */
export async function rolloutsOver({ client }: Stage): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if ((await client.executions()).every(({ status }) => status !== 'RUNNING')) return;
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** Starts the rollout of the current version once more, under its next name: what `resume` of the CLI does. */
export async function nextAttempt({ client, operator, rollouts, secret, secretId }: Stage): Promise<string> {
  const { versionId } = await operator.read(secretId, 'AWSCURRENT');
  const latest = (await client.executions()).findLast(({ input }) => input.includes(versionId));
  if (latest === undefined) throw new Error(`${secret.resolved.key} has no rollout to resume.`);
  const before = parseRolloutState(JSON.parse(latest.input));
  const state = { ...before, attempt: before.attempt + 1 };
  await startAttempt(rollouts, latest.stateMachineArn, secret.resolved.key, state);
  return versionId;
}

/** How often the way forward restarts the consumers: states of the way back have higher numbers. */
function restarts({ secret }: Stage): number {
  const plan: Plan = plans[secret.resolved.plan];
  return plan.stages.filter((stage) => stage === 'redeploy').length;
}

/** Whether the new key is about to be used: at the latest before the restart that follows promote. */
export function isPromoting(stage: Stage, what: string): boolean {
  return (
    what === 'promote' || what === (restarts(stage) > 1 ? 'wait before redeploy 2' : 'wait before redeploy')
  );
}

/** Whether a state is one of the way back. */
export function isGoingBack(stage: Stage, what: string): boolean {
  if (['roll-back', 'quiesce 2', 'reencrypt 2'].includes(what)) return true;
  const number = /redeploy (\d+)$/.exec(what)?.[1];
  return number !== undefined && Number(number) > restarts(stage);
}

const EnteredState = z.object({ name: z.string(), input: z.string() });

/** Whether data is moved when it rotates. */
export const movesData = ({ resolved }: StagedSecret) => resolved.reencryptions.length > 0;

/**
 * Somebody stops the rollout as it comes to this stage, and has it go back: what `rollback` of the CLI does.
 *
 * @returns the token of the rotation
 */
export async function goneBackFrom(stage: Stage, token: string, at: StageId): Promise<string> {
  const { client, rollouts, deployment, secret } = stage;
  const functionName = nameOf(deployment.resolved.name, at);
  // Its function is slow, so that there is time to stop it.
  await client.faultCall({ kind: 'delay', milliseconds: 3_000, service: 'secretsmanager', functionName });
  for (let tries = 0; tries < 1_500; tries += 1) {
    const execution = (await client.executions()).findLast(({ input }) => input.includes(token));
    const history = execution === undefined ? [] : await client.history(execution.arn);
    const entered = history
      .map(({ stateEnteredEventDetails: state }) => EnteredState.safeParse(state))
      .find(({ data }) => data?.name === at)?.data;
    if (execution !== undefined && entered !== undefined) {
      await rollouts.stop(execution.arn);
      await client.clearFaults();
      const state = parseRolloutState(JSON.parse(entered.input));
      const back = { ...state, attempt: 1, goBack: true };
      // Under the first number that is free: the version of a phase has had no execution of its own.
      await startAttempt(rollouts, execution.stateMachineArn, secret.resolved.key, back);
      return token;
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  throw new Error(`The rollout of ${secret.resolved.key} did not come to ${at}.`);
}

/** Whether its server has forgotten the old value by the time that consumers restart. */
export const isOneWay = ({ resolved }: StagedSecret) => resolved.engine !== null && !resolved.restorable;

const Stalled = z.object({
  'detail-type': z.literal('Rollout Stalled'),
  detail: z.object({ versionId: z.string(), works: z.string(), next: z.string() }),
});

/** The event of the stall must tell of the current version, what still works, and the command to go on. */
export async function saysHowToGoOn({ client, operator, secret, secretId }: Stage): Promise<string | null> {
  const { versionId } = await operator.read(secretId, 'AWSCURRENT');
  const { items } = await client.events();
  const said = items.some(({ event }) => {
    const { success, data } = Stalled.safeParse(event);
    return success && data.detail.versionId === versionId && data.detail.next.includes('resume');
  });
  return said ? null : `Nobody was told that the rollout of ${secret.resolved.key} stalled, or how to go on.`;
}

/** The event of the stall must name exactly these instances, with the count of the others. */
export async function namesFailed(
  { client, secretId }: Stage,
  ids: readonly string[],
): Promise<string | null> {
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
