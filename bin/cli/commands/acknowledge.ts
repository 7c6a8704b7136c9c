import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { acknowledge, named, prepareAcknowledgement } from '../../../lib/operations/acknowledge.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Command, Given } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export const command: Command = {
  name: 'acknowledge',
  summary: 'accept that one row of encrypted data cannot be read',
  about: 'one',
  details: `A rollout that re-encrypts data sets aside what no key opens, and keeps the old key until each such row is repaired,
removed or acknowledged. This acknowledges one row: it is left as it is, and no longer keeps the old key. Rows are
acknowledged one by one, and only those that a stopped rollout has set aside.`,
  flags: {
    target: { value: 'TARGET', help: 'what holds the row, as the rollout names it' },
    row: { value: 'ROW', help: 'the row, as the rollout names it' },
  },

  async run({ given, deployment, ports }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key } = subject.secret;
    const row = { target: demanded(given, 'target'), row: demanded(given, 'row') };
    const prepared = await prepareAcknowledgement(subject, row, ports);
    await acknowledge(prepared, ports);
    const { datum, open, more } = prepared;
    const further =
      more === 0
        ? ''
        : `${more} more are set aside than the rollout lists: its next attempt lists the first of them, keyturn reencrypt ${key} --verify all.\n`;
    const left =
      open.length === 0
        ? `${more === 0 ? 'Nothing else is set aside. ' : further}To go on: keyturn resume ${key}\n`
        : `Still set aside:\n${open.map((one) => `  ${named(one)}\n`).join('')}${further}`;
    return {
      exitCode: exitCodes.ok,
      text: `Row ${datum.row} of ${datum.target} (${datum.poison}) is acknowledged.\n${left}`,
      json: { secret: key, acknowledged: datum, open, more },
    };
  },
};

function demanded(given: Given, flag: string): string {
  const text = given.text(flag);
  if (text !== null && text !== '') return text;
  throw new KeyturnError({
    code: 'UsageInvalid',
    message: `acknowledge must have --${flag}.`,
    hint: 'keyturn status SECRET, or the notification of the stalled rollout, names the rows.',
  });
}
