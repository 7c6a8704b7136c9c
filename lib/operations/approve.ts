/** A person's consent to one rotation that is guarded, or outside its maintenance window: a tag that the create step reads. */
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { consentBaseTag, consentTag } from '../../lambdas/contract/marks.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { noVersion, takesConsent } from './consents.ts';
import { refusal } from './refusal.ts';
import { moment, parseSpan } from './spans.ts';
import type { Subject } from './subject.ts';

export interface Approval {
  /** How long it holds: `30m`, `1h`; at most 24 h. */
  readonly lasting: string;
  readonly reason: string;
  readonly who: string;
}

export interface Approved {
  readonly until: Date;
  /** What the rotation will break; null: the class does not say. */
  readonly breaks: string | null;
}

const longest = 24 * 3_600_000;
const shortest = 60_000;

/** Characters of a tag's value (Secrets Manager API reference, Tag). */
const longestTag = 256;

/** What AWS takes in a tag's value (AWS general reference, "Tag naming limits and requirements"). */
const refusedCharacter = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/u;

/** Stores the consent. Storing another one replaces it. @throws KeyturnError UsageInvalid, OperationRefused. */
export async function approve(
  subject: Subject,
  approval: Approval,
  { secrets, clock }: OperatorPorts,
): Promise<Approved> {
  const { key, class: secretClass, settings } = subject.secret;
  if (!takesConsent(subject)) {
    throw refusal(
      `${key} rotates without consent: its class is ${secretClass.id}.`,
      `Nothing is to be approved: keyturn rotate ${key}.`,
    );
  }
  const until = new Date(clock.now().getTime() + checkedSpan(approval.lasting));
  const value = tagValue(until, approval);
  const overview = await secrets.overview(settings.id);
  const base = holderOf(overview, 'AWSCURRENT') ?? noVersion;
  await secrets.tag(
    overview.arn,
    new Map([
      [consentTag, value],
      [consentBaseTag, base],
    ]),
  );
  return { until, breaks: secretClass.bind(settings.options).breaks() };
}

/** Takes the consent back; where there is none, nothing happens. */
export async function revoke(subject: Subject, { secrets }: OperatorPorts): Promise<void> {
  await secrets.untag(subject.secret.settings.id, [consentTag, consentBaseTag]);
}

function checkedSpan(lasting: string): number {
  const milliseconds = parseSpan(lasting);
  if (milliseconds !== null && milliseconds >= shortest && milliseconds <= longest) return milliseconds;
  throw usage(`--for must be a length of time from 1m to 24h, like 30m or 1h; received "${lasting}".`);
}

/** `2026-11-21T18:00:00Z jane: planned cutover`. */
function tagValue(until: Date, { who, reason }: Approval): string {
  if (reason.trim() === '') throw usage('--reason must say why this rotation is wanted; it is empty.');
  for (const [flag, text] of [
    ['--as', who],
    ['--reason', reason],
  ]) {
    const found = refusedCharacter.exec(text ?? '')?.[0];
    if (found !== undefined) {
      throw usage(
        `${flag} must be of letters, digits, spaces and + - = . _ : / @, which is what AWS takes in a tag; received ${JSON.stringify(found)} in it.`,
      );
    }
  }
  const value = `${until.toISOString().slice(0, 19)}Z ${who}: ${reason.trim()}`;
  if (value.length <= longestTag) return value;
  const room = longestTag - (value.length - reason.trim().length);
  throw usage(
    `--reason must have at most ${room} characters beside the name and the time (a tag has ${longestTag}); received ${reason.trim().length}.`,
  );
}

function usage(message: string): KeyturnError {
  return new KeyturnError({ code: 'UsageInvalid', message });
}

/** As one sentence: until when, and what follows. */
export function approvedSentence(key: string, { until, breaks }: Approved): string {
  return `${key} may rotate once until ${moment(until)}. ${breaks === null ? 'What it breaks is not known' : `When it does, ${breaks}`}.`;
}
