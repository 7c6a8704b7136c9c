/**
 * Clears a stuck pending version: gathers what it is and whether anything outside holds it, decides, and takes
 * the label AWSPENDING away.
 *
 * CancelRotateSecret has no part in it: it would switch rotation off and leave the label where it is. Once the
 * label is gone, Secrets Manager has nothing to try again, and a late step is refused by its own guards.
 */
import { parseDocument, type SecretDocument } from '../../lambdas/contract/document.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ProbePorts, Verdict } from '../../lambdas/contract/hooks.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { ageOf, lookAt, type Sighting } from './look.ts';
import { verdictOn } from './probing.ts';
import { refusal } from './refusal.ts';
import type { Subject } from './subject.ts';

export interface Discard {
  readonly secretArn: string;
  readonly versionId: string;
  /** Milliseconds since it was made; null: not known. */
  readonly age: number | null;
  /** Why nothing is lost, in a sentence. */
  readonly because: string;
  /** Whether rotation is switched on; discarding does not change it. */
  readonly rotationEnabled: boolean;
}

/** What is known of a pending version. */
export interface PendingEvidence {
  /** Its document; `empty`: no value was stored; `unreadable`: it is no document. */
  readonly document: SecretDocument | 'empty' | 'unreadable';
  /** What the target says of it; null: it was not asked. */
  readonly verdict: Verdict | null;
  /** True when the class tells a target of a value before it is current. */
  readonly told: boolean;
  /** True when the class's value comes from a person. */
  readonly supplied: boolean;
  /** True when the version was current, so that consumers may run with it. */
  readonly wasCurrent: boolean;
}

export type Decision =
  | { readonly may: true; readonly because: string }
  | { readonly may: false; readonly sentence: string; readonly hint: string };

/** @throws KeyturnError OperationRefused when nothing is stuck, or when the target holds the value. */
export async function prepareDiscard(
  subject: Subject,
  ports: OperatorPorts & { readonly probe: ProbePorts },
): Promise<Discard> {
  const sighting = await lookAt(subject, ports);
  const { overview, pendingId } = sighting;
  const { key } = subject.secret;
  if (subject.secret.class.admission === 'elsewhere') {
    throw refusal(
      `${key} is rotated by the service that manages it: what is pending there is that service's business.`,
      'See its console, or ask its support.',
    );
  }
  if (pendingId === null) {
    throw refusal(`Nothing is stuck on ${key}: no version is pending.`, `See: keyturn status ${key}.`);
  }
  const decision = decide(await evidenceOn(sighting, pendingId, ports), key);
  if (!decision.may) throw refusal(decision.sentence, decision.hint);
  return {
    secretArn: overview.arn,
    versionId: pendingId,
    age: ageOf(sighting, pendingId),
    because: decision.because,
    rotationEnabled: overview.rotationEnabled,
  };
}

/** Takes the label away. @throws KeyturnError OperationRefused when the rotation finished in this very moment. */
export async function discard(
  subject: Subject,
  { secretArn, versionId }: Discard,
  { secrets }: OperatorPorts,
): Promise<void> {
  await secrets.removePending(secretArn, versionId);
  if (holderOf(await secrets.describe(secretArn), 'AWSCURRENT') !== versionId) return;
  throw refusal(
    `Version ${versionId} became current while it was being discarded: the rotation has finished after all.`,
    `See: keyturn status ${subject.secret.key}.`,
  );
}

/** Decides on the evidence alone. */
export function decide(evidence: PendingEvidence, key: string): Decision {
  const { document, verdict, told, supplied, wasCurrent } = evidence;
  const may = (because: string): Decision => ({ may: true, because });
  const mayNot = (sentence: string, hint: string): Decision => ({ may: false, sentence, hint });
  if (document === 'empty') return may('no value was stored in it');
  if (wasCurrent && verdict !== 'refused') {
    return mayNot(
      `The pending version of ${key} was current before, and ${verdict === 'accepted' ? 'its value is still accepted' : 'nothing shows that its value is dead'}: consumers may run with it.`,
      `Bring the current version to them first: keyturn resume ${key}.`,
    );
  }
  if (verdict === 'refused') return may('its target refuses it');
  if (supplied && !told) return may('the value stays where the person left it, under KEYTURN_SUPPLIED');
  if (verdict === 'accepted') {
    return mayNot(
      `The target of ${key} accepts the pending value already: to discard it would lose a value that works.`,
      'Let Secrets Manager finish: it tries the rotation again by itself, at the latest in the next window.',
    );
  }
  if (told) {
    return mayNot(
      `The target of ${key} may hold the pending value, and ${verdict === null ? 'nothing can probe it' : 'its probe gave no clear answer from here'}.`,
      'Run this where the probe’s address can be reached.',
    );
  }
  if (document === 'unreadable') return may('it is no document, so nothing can read a value from it');
  return document.memory === null
    ? mayNot(
        `The pending value of ${key} was not made by Keyturn, and nothing shows that its target does not hold it.`,
        'If you know that, remove the label with UpdateSecretVersionStage.',
      )
    : may('Keyturn made its value and has given it to nobody');
}

async function evidenceOn(
  sighting: Sighting,
  versionId: string,
  { secrets, probe }: OperatorPorts & { readonly probe: ProbePorts },
): Promise<PendingEvidence> {
  const { subject, overview, previousId } = sighting;
  const { settings, class: secretClass, key } = subject.secret;
  const known = {
    told: secretClass.bind(settings.options).set !== null,
    supplied: secretClass.supplied,
    wasCurrent: versionId === previousId,
  };
  const document = await documentOf(overview.arn, versionId, key, secrets);
  const verdict = typeof document === 'string' ? null : await verdictOn(settings, document, probe);
  return { ...known, document, verdict };
}

async function documentOf(
  secretArn: string,
  versionId: string,
  key: string,
  secrets: OperatorPorts['secrets'],
): Promise<PendingEvidence['document']> {
  try {
    const { value } = await secrets.read(secretArn, versionId);
    return parseDocument(value, `The pending value of ${key}`);
  } catch (caught) {
    if (!(caught instanceof KeyturnError)) throw caught;
    if (caught.code === 'AwsNotFound') return 'empty';
    if (caught.code === 'DocumentInvalid') return 'unreadable';
    throw caught;
  }
}
