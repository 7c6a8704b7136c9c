/** A value that only a person can get: checked by its class, then left where the next rotation copies it. */
import { parseDocument, SecretDocument } from '../../lambdas/contract/document.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { suppliedLabel } from '../../lambdas/contract/marks.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { refusal } from './refusal.ts';
import type { Subject } from './subject.ts';

export interface SupplyResult {
  /** The version under which the value waits. */
  readonly versionId: string;
  /** The version that waited before, and no longer does; null: none. */
  readonly replaced: string | null;
}

/** Characters of a secret's value (Secrets Manager user guide, quotas). */
const longestValue = 65_536;

/** A class that is given its value makes none. */
const noRandom = {
  bytes(): Uint8Array {
    throw new KeyturnError({ code: 'Internal', message: 'A supplied value needs no randomness.' });
  },
};

/** @throws KeyturnError OperationRefused for a class that makes its own value. */
export function demandSupplied({ secret }: Subject): void {
  if (secret.class.supplied) return;
  throw refusal(
    `The value of ${secret.key} is made by Keyturn, not supplied: its class is ${secret.class.id}.`,
    `Rotate it instead: keyturn rotate ${secret.key}.`,
  );
}

/**
 * Checks the value as the create step will, and stores it under KEYTURN_SUPPLIED. What is stored holds the
 * class's variables only: the step takes those, and everything else from what is current then.
 *
 * @param value the bare value; a JSON object of strings where the class has several variables.
 * @throws KeyturnError ValueRejected, DocumentInvalid: the rule and a measure, never the value.
 */
export async function supply(
  subject: Subject,
  value: Sensitive,
  { secrets }: OperatorPorts,
): Promise<SupplyResult> {
  demandSupplied(subject);
  const { key, class: secretClass, settings } = subject.secret;
  const bound = secretClass.bind(settings.options);
  const document = documentOf(value, bound.variables());
  const overview = await secrets.overview(settings.id);
  const currentId = holderOf(overview, 'AWSCURRENT');
  const current =
    currentId === null
      ? null
      : parseDocument((await secrets.read(overview.arn, currentId)).value, `The current value of ${key}`);
  await bound.create({ current, supplied: document, random: noRandom });
  const replaced = holderOf(overview, suppliedLabel);
  return { versionId: await secrets.supply(overview.arn, document.serialise()), replaced };
}

function documentOf(value: Sensitive, variables: readonly [string, ...string[]]): SecretDocument {
  const [first, ...others] = variables;
  const text = value.reveal();
  if (text === '') throw rejected(first, 'must not be empty; nothing was received');
  if (text.length > longestValue) {
    throw rejected(first, `must have at most ${longestValue} characters; it has ${text.length}`);
  }
  if (others.length > 0) return parseDocument(value, `The supplied value of ${variables.join(', ')}`);
  return new SecretDocument(new Map([[first, text]]), null);
}

function rejected(variable: string, sentence: string): KeyturnError {
  return new KeyturnError({ code: 'ValueRejected', message: `The value of ${variable} ${sentence}.` });
}

/** Takes off the one line break that echo, a file or a pipe puts behind a value. */
export function withoutLineBreak(text: string): Sensitive {
  return new Sensitive(text.replace(/\r?\n$/, ''));
}
