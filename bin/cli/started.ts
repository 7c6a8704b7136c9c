import type { StartedRollout } from '../../lib/operations/resume.ts';
import type { Subject } from '../../lib/operations/subject.ts';
import type { Result } from './command.ts';
import { exitCodes } from './exit-codes.ts';

/** A rollout that goes on by itself. */
export function started({ secret }: Subject, { state, started: began }: StartedRollout): Result {
  const what = began ? 'has begun' : 'had been started by somebody else a moment ago';
  return {
    exitCode: exitCodes.ok,
    text: `Attempt ${state.attempt} of the rollout of version ${state.versionId} ${what}.\nSee how it gets on: keyturn status ${secret.key}\n`,
    json: { secret: secret.key, end: 'begun', versionId: state.versionId, attempt: state.attempt },
  };
}
