/** Plays one scenario on one secret, under traffic, and says what was seen. */
import { parseDocument, type SecretDocument } from '../../lambdas/contract/document.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ProbePorts, Verdict } from '../../lambdas/contract/hooks.ts';
import type { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { probeKinds } from '../../lambdas/hooks/probe/kinds.ts';
import { nameOf } from '../pipeline-function.ts';
import { personAtWork, type Stage, variablesOf } from './acts.ts';
import { type Followed, follow } from './follow.ts';
import { type SeenOfLogin, watchLogin } from './login-watch.ts';
import type { Progress } from './progress.ts';
import type { ReportOutcome, ReportSecret } from './report.ts';
import type { Scenario } from './scenario.ts';
import { stopsConsumers, storedObjection } from './stored.ts';
import type { Tally } from './tally.ts';
import type { Traffic } from './traffic.ts';

export interface Played {
  readonly row: ReportSecret;
  readonly sentence: string | null;
  /** Sentences on failed requests. */
  readonly failures: readonly string[];
  /** Requests that a declared cutover explains. */
  readonly refusedInCutover: number;
  /** Whether the current value works at its target after all; null: nothing can probe it. */
  readonly currentAccepted: boolean | null;
  /** Whether AWSCURRENT and what the consumers run with are as before; null where they should not be. */
  readonly untouched: boolean | null;
  readonly transitions: number | null;
}

export interface Player {
  readonly stage: Stage;
  readonly traffic: Traffic;
  readonly progress: Progress;
  readonly ports: ProbePorts;
}

/** @param begun a token of a rotation that began by itself, when a schedule did it. */
export async function play(
  scenario: Pick<
    Scenario,
    'id' | 'expected' | 'begin' | 'beside' | 'clear' | 'onProgress' | 'verify' | 'resumes'
  >,
  player: Player,
): Promise<Played> {
  const { stage, traffic, progress } = player;
  const { deployment, secret, client, operator, secretId } = stage;
  const { resolved } = secret;
  const line = `${deployment.resolved.platform} ${resolved.key}, ${scenario.id}`;
  progress.update(line, 'begins');
  // A rollout that is resumed has moved the value before: what it must prove dead is the previous one.
  const before = await operator.read(secretId, scenario.resumes === true ? 'AWSPREVIOUS' : 'AWSCURRENT');
  const beside = await besideOf(scenario, stage);
  await client.clearCalls();
  const tally = traffic.tally();
  if (resolved.cutover) traffic.beginCutover(resolved.key);
  const login = await watchLogin(stage, traffic);
  const stops = stopsConsumers(resolved);
  if (stops) traffic.beginStop();

  const token = await scenario.begin(stage);
  const begun = await operator.read(secretId, 'AWSCURRENT');
  const people = [personAtWork(stage, before.value)];
  if (beside !== null) people.push(personAtWork(beside.stage, beside.before));
  const followed = await follow(client, token, async (what) => {
    progress.update(line, what);
    login?.saw(what);
    await scenario.onProgress?.(stage, what);
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  traffic.endCutover(resolved.key);
  if (stops) traffic.endStop();
  await tally.close();

  const objection =
    (await scenario.verify?.(stage)) ??
    (await besideObjection(player, beside)) ??
    (await storedObjection(stage, before.value, followed.end));
  for (const person of people) person.stop();
  const ended: ReportOutcome = followed.end === 'superseded' ? 'completed' : followed.end;
  // What must hold beside the outcome is part of it.
  const outcome: ReportOutcome = objection === null ? ended : 'stalled';
  const calls = await callsOf(stage);
  const completed = outcome === 'completed';
  const untouched = outcome === 'refused' ? await isUntouched(stage, begun.versionId) : null;
  if (scenario.clear !== null) await scenario.clear(stage);
  const counts = tally.counts();
  const sessions = (await login?.result(tally, followed.end, token)) ?? null;
  const row: ReportSecret = {
    platform: deployment.resolved.platform,
    secret: resolved.key,
    class: resolved.class.id,
    scenario: scenario.id,
    expected: scenario.expected,
    outcome,
    stages: followed.stages,
    // Two rotations, or one that began before the counting did, have no count of their own.
    secretsManagerCalls: completed && !['twice in a row', 'schedule'].includes(scenario.id) ? calls : null,
    requests: { total: counts.total, failed: counts.failed },
    rowsReencrypted: followed.moved?.rows ?? null,
    rowsLeft: followed.moved?.left ?? null,
    oldValueRefused: completed ? await oldValueRefused(player, before.value, followed) : null,
    gapSeconds: gapOf(stage, completed, sessions, tally),
    statements: sessions?.statements ?? null,
    logins: sessions?.logins ?? null,
    why: objection ?? followed.sentence,
  };
  progress.finish(
    line,
    verdictLine(row, followed),
    outcome === scenario.expected && counts.failed === 0 ? 'good' : 'bad',
  );
  return {
    row,
    sentence: objection ?? followed.sentence,
    failures: [...tally.failures(), ...(sessions?.failures ?? [])],
    refusedInCutover: counts.refused,
    currentAccepted: await currentAccepted(player),
    untouched,
    transitions: followed.transitions,
  };
}

/** Of a login at a database its own measure, of everything else that of the clients whose sessions it ends. */
function gapOf(
  { secret: { resolved } }: Stage,
  completed: boolean,
  sessions: SeenOfLogin | null,
  tally: Tally,
): number | null {
  if (sessions !== null) return sessions.gapSeconds === null ? null : rounded(sessions.gapSeconds);
  return completed && resolved.cutover ? rounded(tally.counts(resolved.key).gapSeconds) : null;
}

/** The secret that rotates beside the one that is followed, and its value before that. */
interface Beside {
  readonly stage: Stage;
  readonly before: Sensitive;
}

async function besideOf(scenario: Pick<Scenario, 'beside'>, stage: Stage): Promise<Beside | null> {
  const found = scenario.beside?.(stage);
  if (found === undefined) return null;
  return { stage: found, before: (await found.operator.read(found.secretId, 'AWSCURRENT')).value };
}

/** What did not hold of the secret that nobody followed, in a sentence; null: it rotated as well. */
async function besideObjection(player: Player, beside: Beside | null): Promise<string | null> {
  if (beside === null) return null;
  const { client, operator, secret, secretId } = beside.stage;
  const { versionId, value } = await operator.read(secretId, 'AWSCURRENT');
  const { key } = secret.resolved;
  const rollouts = (await client.executions()).filter(({ input }) => input.includes(versionId));
  if (!rollouts.some(({ status }) => status === 'SUCCEEDED'))
    return `The rollout of ${key} beside it did not complete.`;
  const there = { ...player, stage: beside.stage };
  const [old, current] = [await ask(there, beside.before), await ask(there, value)];
  if (old === null && current === null) return null;
  if (old !== 'refused') return `The old value of ${key} must be refused; it is ${old}.`;
  return current === 'accepted' ? null : `The new value of ${key} must be accepted; it is ${current}.`;
}

/** Whether the target refuses the value that was current before. Asked here again, not believed. */
async function oldValueRefused(player: Player, old: Sensitive, followed: Followed): Promise<boolean | null> {
  const verdict = await ask(player, old);
  if (verdict === null) return null;
  // Where the rollout itself claims a proof, both must say so.
  return verdict === 'refused' && followed.oldValueRefused !== false;
}

async function currentAccepted(player: Player): Promise<boolean | null> {
  const { value } = await player.stage.operator.read(player.stage.secretId, 'AWSCURRENT');
  const verdict = await ask(player, value);
  return verdict === null ? null : verdict === 'accepted';
}

/** Null: nothing can be asked, or not a document. */
async function ask({ stage, ports }: Player, value: Sensitive): Promise<Verdict | null> {
  const { server, secret } = stage;
  const { settings } = secret.resolved;
  const bound =
    settings.probe === null ? undefined : probeKinds.get(settings.probe.kind)?.bind(settings.probe);
  const document = documentIn(value);
  if (document === null) return null;
  if (bound?.ok) return bound.hook.ask(document, ports);
  if (secret.login === null || server === null) return null;
  // Logged in with what the platform reads, on another way than the pipeline's.
  const login = secret.login.login(variablesOf(document));
  return (await server.letsIn(login, secret.login.databases[0])) ? 'accepted' : 'refused';
}

function documentIn(value: Sensitive): SecretDocument | null {
  try {
    return parseDocument(value, 'the value');
  } catch (caught) {
    if (caught instanceof KeyturnError) return null;
    throw caught;
  }
}

/** Calls of this secret's rotation function to Secrets Manager. */
async function callsOf({ client, deployment, secret }: Stage): Promise<number> {
  const caller = nameOf(deployment.resolved.name, secret.resolved.class.id);
  const calls = (await client.calls()).filter(
    (call) => call.service === 'secretsmanager' && call.caller === caller,
  );
  return calls.reduce((sum, { count }) => sum + count, 0);
}

/** A refused rotation must leave the current version, and every task that ran, as they were. */
async function isUntouched({ client, operator, secretId }: Stage, versionId: string): Promise<boolean> {
  const now = await operator.read(secretId, 'AWSCURRENT');
  const restarts = (await client.calls()).filter(({ operation }) => operation === 'UpdateService');
  return now.versionId === versionId && restarts.length === 0;
}

function verdictLine(row: ReportSecret, followed: Followed): string {
  const took = row.stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const requests =
    row.requests === null ? '' : `, ${row.requests.total} requests, ${row.requests.failed} failed`;
  const old =
    row.oldValueRefused === null
      ? ''
      : row.oldValueRefused
        ? ', old value refused'
        : ', OLD VALUE STILL ACCEPTED';
  const why = followed.sentence === null ? '' : `: ${followed.sentence}`;
  return `${row.outcome} after ${took.toFixed(1)} s${requests}${old}${why}`;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
