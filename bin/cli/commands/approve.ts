import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { approve, approvedSentence, revoke } from '../../../lib/operations/approve.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Command, Given } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export const command: Command = {
  name: 'approve',
  summary: 'consent to one rotation that is guarded, or outside its window',
  about: 'one',
  details: `The consent is stored on the secret, with who gave it, why and until when; it holds for one rotation, at most 24 h.
Who it was is taken from --as, else from the user who is signed in on this machine: a name to ask, not a proof.
CloudTrail has the proof, in the event of TagResource.`,
  flags: {
    for: { value: 'TIME', help: 'how long it holds: 1m to 24h, like 1h' },
    reason: { value: 'TEXT', help: 'why; letters, digits, spaces and + - = . _ : / @' },
    as: { value: 'NAME', help: 'who consents; default: the signed-in user' },
    revoke: { value: null, help: 'take the consent back' },
  },

  async run({ given, deployment, ports, terminal }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key } = subject.secret;
    if (given.has('revoke')) {
      await revoke(subject, ports);
      return {
        exitCode: exitCodes.ok,
        text: `There is no consent on ${key} any more.\n`,
        json: { secret: key, consent: null },
      };
    }
    const named = given.text('as');
    const who = named ?? terminal.userName();
    const approval = { lasting: needed(given, 'for'), reason: needed(given, 'reason'), who };
    const approved = await approve(subject, approval, ports);
    const name = named === null ? `${who}, the user who is signed in on this machine` : who;
    return {
      exitCode: exitCodes.ok,
      text: `${approvedSentence(key, approved)}\nThe consent names ${name}.\nTo use it: keyturn rotate ${key}. To take it back: keyturn approve ${key} --revoke\n`,
      json: {
        secret: key,
        consent: {
          until: approved.until.toISOString(),
          who,
          reason: approval.reason,
          breaks: approved.breaks,
        },
      },
    };
  },
};

function needed(given: Given, flag: string): string {
  const value = given.text(flag);
  if (value !== null) return value;
  throw new KeyturnError({
    code: 'UsageInvalid',
    message: `approve must have --${flag}.`,
    hint: 'For example: keyturn approve SECRET --for 1h --reason "planned cutover".',
  });
}
