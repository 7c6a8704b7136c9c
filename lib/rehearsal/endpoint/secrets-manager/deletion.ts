/** DeleteSecret and RestoreSecret. */
import { AwsError, account, type JsonObject, region } from '../wire.ts';
import { existing } from './access.ts';
import { commit } from './commit.ts';
import type { Core, Operation } from './core.ts';
import { countOf, flagOf, textOf } from './input.ts';
import { seconds } from './reads.ts';
import { nextWindow } from './schedule.ts';
import type { Secret } from './store.ts';
import { markedForDeletion, secretNotFound } from './texts.ts';

const day = 86_400_000;
const defaultWindow = 30;

/**
 * DeleteSecret. By force it succeeds even for a name that never existed, with an ARN made up (validated:
 * LocalStack), and also for a secret that is already being deleted.
 */
export const deleteSecret: Operation = (core, input, caller) => {
  const force = flagOf(input, 'ForceDeleteWithoutRecovery') ?? false;
  const days = countOf(input, 'RecoveryWindowInDays');
  if (force && days !== undefined) {
    throw invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  if (days !== undefined && (days < 7 || days > 30)) {
    throw invalid('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
  }
  const secretId = textOf(input, 'SecretId') ?? '';
  if (force && core.store.find(secretId) === null) return madeUp(core, secretId);
  const secret = existing(core, input, caller);
  if (secret.deletionAt !== null && !force) throw markedForDeletion();

  const now = core.clock.now();
  const delay = force ? core.options.forcedDeletionDelay : (days ?? defaultWindow) * day;
  const run = core.runs.openOf(secret.arn);
  if (run !== null) core.runs.close(run, 'cancelled');
  const deletionAt = now + delay;
  const marked = commit(core, secret, { ...secret, deletionAt });
  if (delay === 0) core.store.remove(secret.arn);
  else core.clock.after(delay, () => purge(core, marked));
  return answer(secret.arn, secret.name, deletionAt);
};

/** RestoreSecret. For a secret that is not being deleted it changes nothing; what AWS says then is not established. */
export const restoreSecret: Operation = (core, input, caller) => {
  const secret = existing(core, input, caller);
  if (secret.deletionAt !== null) {
    commit(core, secret, { ...secret, deletionAt: null, rotation: reopened(secret, core.clock.now()) });
  }
  return { ARN: secret.arn, Name: secret.name };
};

/** A window that closed while the secret was away does not come back; the next one does. */
function reopened({ rotation }: Secret, now: number): Secret['rotation'] {
  if (!rotation?.enabled || rotation.rules === null) return rotation;
  if (rotation.next !== null && rotation.next.end > now) return rotation;
  return { ...rotation, next: nextWindow(rotation.rules, now, now) };
}

/** A secret that was restored meanwhile, or deleted with another date, stays. */
function purge(core: Core, marked: Secret): void {
  if (core.store.get(marked.arn)?.deletionAt === marked.deletionAt) core.store.remove(marked.arn);
}

function madeUp(core: Core, secretId: string): JsonObject {
  if (secretId.startsWith('arn:')) throw secretNotFound();
  const suffix = core.random.uuid().slice(0, 6);
  const arn = `arn:aws:secretsmanager:${region}:${account}:secret:${secretId}-${suffix}`;
  return answer(arn, secretId, core.clock.now());
}

function answer(arn: string, name: string, deletionAt: number): JsonObject {
  return { ARN: arn, Name: name, DeletionDate: seconds(deletionAt) };
}

/** The texts are those of emulators (moto, ministack); AWS's own are not published. */
function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}
