/**
 * May this step act on this secret? An ordered list of checks on one DescribeSecret; the first that objects
 * decides, in a sentence for the operator.
 */
import { KeyturnError } from '../contract/errors.ts';
import type { SecretDescription } from '../contract/ports.ts';

export interface Circumstances {
  readonly description: SecretDescription;
  readonly token: string;
  /** ARN of this function. */
  readonly self: string;
}

export interface Guard {
  readonly id: string;
  /** @returns what is wrong and what to do about it, or null. */
  objects(circumstances: Circumstances): { readonly sentence: string; readonly hint: string } | null;
}

export const guards: readonly Guard[] = [
  {
    id: 'not-deleted',
    objects: ({ description }) =>
      description.deleted
        ? {
            sentence: `The secret ${description.name} is scheduled for deletion and does not rotate.`,
            hint: 'Restore it with RestoreSecret, or remove it from the deployment.',
          }
        : null,
  },
  {
    // A late invocation after CancelRotateSecret finds rotation switched off.
    id: 'rotation-enabled',
    objects: ({ description }) =>
      description.rotationEnabled
        ? null
        : {
            sentence: `Rotation of the secret ${description.name} is switched off.`,
            hint: 'Switch it on again with RotateSecret, or by deploying the stack.',
          },
  },
  {
    // The confused deputy: another function's rotation must not be run by this one.
    id: 'own-function',
    objects: ({ description, self }) =>
      description.rotationFunctionArn !== null &&
      unqualified(description.rotationFunctionArn) === unqualified(self)
        ? null
        : {
            sentence: `The secret ${description.name} is rotated by another function than this one.`,
            hint: 'See RotationLambdaARN of the secret; the stack sets it when it is deployed.',
          },
  },
  {
    id: 'token-known',
    objects: ({ description, token }) =>
      description.labels.has(token)
        ? null
        : {
            sentence: `The secret ${description.name} has no version ${token} with a label: this rotation was cancelled or abandoned.`,
            hint: 'Nothing is to be done; the next rotation brings a token of its own.',
          },
  },
  {
    id: 'token-pending',
    objects: ({ description, token }) =>
      isPending(description, token) || isCurrent(description, token)
        ? null
        : {
            sentence: `The version ${token} of the secret ${description.name} has not the label AWSPENDING.`,
            hint: 'Another rotation took over; nothing is to be done.',
          },
  },
];

/** Where the rotation of this token stands. */
export type Standing =
  | {
      readonly is: 'pending' /** Null: the secret has no current version. */;
      readonly currentId: string | null;
    }
  /** An earlier try got as far as finish: there is nothing left to do. */
  | { readonly is: 'current'; readonly previousId: string | null };

/** @throws KeyturnError StepRefused with the sentence of the first guard that objects. */
export function standingOf(circumstances: Circumstances, checks: readonly Guard[] = guards): Standing {
  for (const guard of checks) {
    const objection = guard.objects(circumstances);
    if (objection !== null) {
      throw new KeyturnError({ code: 'StepRefused', message: objection.sentence, hint: objection.hint });
    }
  }
  const { description, token } = circumstances;
  return isCurrent(description, token)
    ? { is: 'current', previousId: holderOf(description, 'AWSPREVIOUS') }
    : { is: 'pending', currentId: holderOf(description, 'AWSCURRENT') };
}

/** The version that has this label; a label is on one version at most. */
export function holderOf(description: SecretDescription, label: string): string | null {
  for (const [versionId, labels] of description.labels) {
    if (labels.includes(label)) return versionId;
  }
  return null;
}

function isPending(description: SecretDescription, token: string): boolean {
  return description.labels.get(token)?.includes('AWSPENDING') ?? false;
}

function isCurrent(description: SecretDescription, token: string): boolean {
  return description.labels.get(token)?.includes('AWSCURRENT') ?? false;
}

/** A function's ARN without version or alias: `arn:aws:lambda:region:account:function:name`. */
function unqualified(arn: string): string {
  return arn.split(':').slice(0, 7).join(':');
}
