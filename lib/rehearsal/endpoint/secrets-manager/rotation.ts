/**
 * A rotation as it runs, after RotateSecret has answered: four invocations in order, each once the one before has
 * returned; the whole of it again after a failure, with the same token (AWS user guide, rotation by Lambda
 * function). A test run is one invocation of testSecret on a copy of the current value.
 */
import { AwsError } from '../wire.ts';
import { commit } from './commit.ts';
import type { Core } from './core.ts';
import { type ServiceEventName, serviceEvent } from './events.ts';
import { attach, current, detachFrom, holderOf, isUnfinished, pending } from './labels.ts';
import type { Attempt, RotationRun, Step, StepRecord } from './runs.ts';
import { nextWindow, withDays } from './schedule.ts';
import { keysOf, type Secret, type Version } from './store.ts';
import { functionNotInvocable, notCreatedByFunction, stepFailed } from './texts.ts';

const steps = {
  rotation: ['createSecret', 'setSecret', 'testSecret', 'finishSecret'],
  test: ['testSecret'],
} as const satisfies Record<RotationRun['kind'], readonly Step[]>;

const eventNames = {
  rotation: { started: 'RotationStarted', succeeded: 'RotationSucceeded', failed: 'RotationFailed' },
  test: { started: 'TestRotationStarted', succeeded: 'TestRotationSucceeded', failed: 'TestRotationFailed' },
} as const satisfies Record<RotationRun['kind'], Record<string, ServiceEventName>>;

/** What decides a run before it starts. */
export type RunRequest = Pick<RotationRun, 'token' | 'functionArn' | 'kind' | 'trigger'>;

/**
 * Opens the pending version, stores the secret and starts the run in the background.
 *
 * @param secret with the rotation settings that shall be stored; they are stored even if the run fails later.
 * @param request its token names a new version, or the one that is pending already.
 * @throws AwsError LimitExceededException, and then nothing is stored.
 */
export function begin(core: Core, secret: Secret, request: RunRequest): void {
  const { token, kind } = request;
  const opened = secret.versions.get(token) ?? openedVersion(core, secret, token, kind);
  const versions = attach(new Map(secret.versions).set(token, opened), pending, token);
  commit(core, core.store.get(secret.arn), { ...secret, versions });
  const replaced = core.runs.openOf(secret.arn);
  if (replaced !== null) core.runs.close(replaced, 'failed');
  const run: RotationRun = {
    ...request,
    secretArn: secret.arn,
    status: 'running',
    attempts: [],
    failures: 0,
  };
  core.runs.add(run);
  core.clock.after(0, () => void attempt(core, run));
}

/** What a scheduled window does: it repeats an unfinished rotation, or starts a new one. */
export function openWindow(core: Core, secretArn: string): void {
  const secret = core.store.get(secretArn);
  if (!secret?.rotation?.enabled || secret.deletionAt !== null) return;
  const { functionArn, rules } = secret.rotation;
  const now = core.clock.now();
  // A success plans anew; this is for the case that there is none.
  const following = rules === null ? null : nextWindow(rules, now, now);
  if (following !== null) core.calendar.plan(secretArn, following);

  const run = core.runs.openOf(secretArn);
  if (run?.status === 'running') return;
  if (run !== null) {
    run.failures = 0;
    repeat(core, run);
    return;
  }
  // A pending version that no run of ours opened is taken up as it is.
  const unfinished = isUnfinished(secret.versions) ? holderOf(secret.versions, pending) : null;
  const token = unfinished?.id ?? core.random.uuid();
  try {
    begin(core, secret, { token, functionArn, kind: 'rotation', trigger: 'schedule' });
  } catch (error) {
    // Nobody called, so a refusal (too many versions) can only become an event.
    if (!(error instanceof AwsError)) throw error;
    core.emit(serviceEvent('RotationFailed', secretArn, token, now, error.message));
  }
}

/**
 * A rotation opens a version without a value. A test run gets a copy of the current value under a new id (moto's
 * aws_verified test of RotateImmediately=false).
 */
function openedVersion(core: Core, secret: Secret, id: string, kind: RotationRun['kind']): Version {
  const copied = kind === 'test' ? (holderOf(secret.versions, current)?.value ?? null) : null;
  return {
    id,
    value: copied,
    labels: new Set(),
    createdAt: core.clock.now(),
    accessedAt: null,
    author: null,
    kmsKeyIds: keysOf(secret),
  };
}

async function attempt(core: Core, run: RotationRun): Promise<void> {
  if (!core.runs.isOpen(run)) return;
  const record: Attempt = { startedAt: core.clock.now(), steps: [], failure: null };
  run.attempts.push(record);
  run.status = 'running';
  announce(core, run, 'started');
  if (!core.invoker.permits(run.functionArn, 'secretsmanager.amazonaws.com')) {
    fail(core, run, record, functionNotInvocable().message);
    return;
  }
  for (const step of steps[run.kind]) {
    const ok = await invoke(core, run, record, step);
    // Cancelled or abandoned while the function worked: nobody waits for the other steps.
    if (!core.runs.isOpen(run)) return;
    const problem = ok ? problemAfter(core, run, step) : stepFailed(run.functionArn, step);
    if (problem !== null) {
      fail(core, run, record, problem);
      return;
    }
  }
  succeed(core, run);
}

async function invoke(core: Core, run: RotationRun, attempt: Attempt, step: Step): Promise<boolean> {
  const record: StepRecord = {
    step,
    // Different for every step, also of one attempt (seen in captured events).
    rotationToken: core.random.uuid(),
    startedAt: core.clock.now(),
    endedAt: null,
    outcome: null,
    payload: null,
  };
  attempt.steps.push(record);
  const result = await core.invoker.invoke(run.functionArn, {
    Step: step,
    SecretId: run.secretArn,
    ClientRequestToken: run.token,
    RotationToken: record.rotationToken,
  });
  record.endedAt = core.clock.now();
  record.outcome = result.ok
    ? 'returned'
    : { errorType: result.errorType, errorMessage: result.errorMessage };
  record.payload = result.ok ? result.payload : null;
  return result.ok;
}

/** What Secrets Manager checks by itself when a step has returned without an error. */
function problemAfter(core: Core, run: RotationRun, step: Step): string | null {
  if (run.kind === 'test') return null;
  const version = core.store.get(run.secretArn)?.versions.get(run.token);
  if (step === 'createSecret' && version && version.value !== null && !wroteIt(run, version)) {
    return notCreatedByFunction(run.token, run.secretArn, run.functionArn);
  }
  if (step === 'finishSecret' && !version?.labels.has(current)) {
    // AWS's text is not known: nothing in its documents speaks of a function that finishes without the move.
    return `Lambda ${run.functionArn} did not move AWSCURRENT to version ${run.token} during finishSecret step`;
  }
  return null;
}

/** A version or alias of the function writes as the function. */
function wroteIt(run: RotationRun, version: Version): boolean {
  const unqualified = (arn: string | null) => arn?.split(':').slice(0, 7).join(':');
  return unqualified(version.author) === unqualified(run.functionArn);
}

function fail(core: Core, run: RotationRun, attempt: Attempt, message: string): void {
  attempt.failure = message;
  run.failures += 1;
  if (run.kind === 'test') endTest(core, run, 'failed');
  else if (isWithdrawn(core, run)) core.runs.close(run, 'withdrawn');
  else planRepetition(core, run);
  announce(core, run, 'failed', message);
}

function planRepetition(core: Core, run: RotationRun): void {
  const delay = core.options.retryDelays[run.failures - 1];
  run.status = delay === undefined ? 'resting' : 'waiting';
  if (delay !== undefined) {
    core.runs.planRetry(
      run,
      core.clock.after(delay, () => repeat(core, run)),
    );
  }
}

function repeat(core: Core, run: RotationRun): void {
  core.runs.stopRetry(run);
  if (isWithdrawn(core, run)) core.runs.close(run, 'withdrawn');
  else void attempt(core, run);
}

/** True when the run's version is neither pending nor current: there is nothing to go on with. */
function isWithdrawn(core: Core, run: RotationRun): boolean {
  const labels = core.store.get(run.secretArn)?.versions.get(run.token)?.labels;
  return !labels?.has(pending) && !labels?.has(current);
}

function succeed(core: Core, run: RotationRun): void {
  if (run.kind === 'test') endTest(core, run, 'succeeded');
  else endRotation(core, run);
  announce(core, run, 'succeeded');
}

/** The service itself sets the dates and takes AWSPENDING away (aws-samples/aws-secrets-manager-rotation-lambdas#145). */
function endRotation(core: Core, run: RotationRun): void {
  core.runs.close(run, 'succeeded');
  const secret = core.store.get(run.secretArn);
  if (!secret) return;
  const now = core.clock.now();
  const delay = core.options.pendingRemovalDelay;
  const versions = delay === 0 ? detachFrom(secret.versions, pending, run.token) : secret.versions;
  commit(core, secret, { ...secret, versions, rotatedAt: now, rotation: afterSuccess(secret, now) });
  if (delay === 0 || delay === 'never') return;
  core.clock.after(delay, () => {
    const later = core.store.get(run.secretArn);
    if (later) commit(core, later, { ...later, versions: detachFrom(later.versions, pending, run.token) });
  });
}

function afterSuccess({ rotation }: Secret, now: number): Secret['rotation'] {
  if (!rotation?.enabled || rotation.rules === null) return rotation;
  const next = nextWindow(rotation.rules, now, now);
  return { ...rotation, next, rules: withDays(rotation.rules, next, now) };
}

/** The version of a test run goes with it, whatever the outcome (AWS API reference, RotateSecret, RotateImmediately). */
function endTest(core: Core, run: RotationRun, status: 'succeeded' | 'failed'): void {
  core.runs.close(run, status);
  const secret = core.store.get(run.secretArn);
  if (!secret) return;
  const versions = new Map(secret.versions);
  versions.delete(run.token);
  commit(core, secret, { ...secret, versions });
}

function announce(
  core: Core,
  run: RotationRun,
  what: 'started' | 'succeeded' | 'failed',
  error?: string,
): void {
  const name = eventNames[run.kind][what];
  core.emit(serviceEvent(name, run.secretArn, run.token, core.clock.now(), error));
}
