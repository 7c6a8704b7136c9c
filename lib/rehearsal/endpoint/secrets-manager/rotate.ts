/** RotateSecret and CancelRotateSecret: what is decided before the call is answered. */
import { AwsError, type JsonObject } from '../wire.ts';
import { usable } from './access.ts';
import { commit } from './commit.ts';
import type { Core, Operation } from './core.ts';
import { countOf, flagOf, objectOf, textOf } from './input.ts';
import { current, holderOf, isUnfinished, pending } from './labels.ts';
import { begin } from './rotation.ts';
import { checkRules, isFixed, nextWindow, type Rules, type Window } from './schedule.ts';
import type { RotationSettings, Secret } from './store.ts';
import { functionNotInvocable, noFunctionKnown, previousRotationPending, tokenInUse } from './texts.ts';
import { tokenOf } from './tokens.ts';

/**
 * RotateSecret. A call that fails here stores nothing (validated: LocalStack test_rotate_secret_invalid_lambda_arn);
 * a call that is answered says only that the run will be tried.
 */
export const rotateSecret: Operation = (core, input, caller) => {
  const secret = usable(core, input, caller);
  const given = rulesOf(input);
  if (given !== null) checkRules(given);
  const functionArn = textOf(input, 'RotationLambdaARN') ?? secret.rotation?.functionArn;
  if (!functionArn) throw noFunctionKnown();
  if (isBusy(core, secret)) throw previousRotationPending();
  if (!core.invoker.permits(functionArn, 'secretsmanager.amazonaws.com')) throw functionNotInvocable();

  const token = tokenOf(input);
  const immediately = flagOf(input, 'RotateImmediately') ?? true;
  const used = secret.versions.get(token);
  const answer = { ARN: secret.arn, Name: secret.name };
  // Undocumented: a repetition after its rotation has succeeded is answered, any other known token is a conflict.
  if (used?.labels.has(current) && immediately) return { ...answer, VersionId: token };
  if (used !== undefined) throw tokenInUse(token, secret.arn);

  const rules = given ?? secret.rotation?.rules ?? null;
  const next = rules === null ? null : firstWindow(core, secret, rules, immediately);
  const settings: RotationSettings = { enabled: true, functionArn, rules, next };
  const kind = immediately ? 'rotation' : 'test';
  begin(core, { ...secret, rotation: settings }, { token, functionArn, kind, trigger: 'request' });
  return immediately || core.options.testRunAnswersVersionId ? { ...answer, VersionId: token } : answer;
};

/**
 * CancelRotateSecret: no further step, no further window; function and rules stay stored, and so does AWSPENDING
 * (AWS API reference; AWS PCS guide, rotating a cluster secret).
 */
export const cancelRotateSecret: Operation = (core, input, caller) => {
  const secret = usable(core, input, caller);
  if (secret.rotation === null) throw neverConfigured();
  const run = core.runs.openOf(secret.arn);
  if (run !== null) core.runs.close(run, 'cancelled');
  commit(core, secret, { ...secret, rotation: { ...secret.rotation, enabled: false, next: null } });
  const half = isUnfinished(secret.versions) ? holderOf(secret.versions, pending) : null;
  return { ARN: secret.arn, Name: secret.name, ...(half === null ? {} : { VersionId: half.id }) };
};

/**
 * AWSPENDING on a version that is not current refuses every further call (AWS API reference, RotateSecret), and so
 * does a run between its label move and its end.
 */
function isBusy(core: Core, secret: Secret): boolean {
  return isUnfinished(secret.versions) || core.runs.openOf(secret.arn)?.status === 'running';
}

function rulesOf(input: JsonObject): Rules | null {
  const rules = objectOf(input, 'RotationRules');
  if (rules === undefined) return null;
  const days = countOf(rules, 'AutomaticallyAfterDays');
  const duration = textOf(rules, 'Duration');
  const expression = textOf(rules, 'ScheduleExpression');
  return {
    ...(days === undefined ? {} : { AutomaticallyAfterDays: days }),
    ...(duration === undefined ? {} : { Duration: duration }),
    ...(expression === undefined ? {} : { ScheduleExpression: expression }),
  };
}

function firstWindow(core: Core, secret: Secret, rules: Rules, immediately: boolean): Window | null {
  const now = core.clock.now();
  if (immediately) return nextWindow(rules, now, now);
  const old = secret.rotation;
  const keepsOld = core.options.editedRateKeepsOldTime && old?.rules && !isFixed(old.rules);
  if (keepsOld && old.enabled && old.next !== null && old.next.end > now) return old.next;
  const changed = holderOf(secret.versions, current)?.createdAt ?? secret.createdAt;
  return nextWindow(rules, Math.max(secret.rotatedAt ?? 0, changed), now);
}

/** moto's text and code; what AWS answers is not established. */
function neverConfigured(): AwsError {
  return new AwsError(
    'InvalidRequestException',
    "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured and you didn't include such an ARN as a parameter in this call.",
  );
}
