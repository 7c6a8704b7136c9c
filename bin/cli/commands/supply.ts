import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import { demandSupplied, supply } from '../../../lib/operations/supply.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { readValue } from '../read-value.ts';

export const command: Command = {
  name: 'supply',
  summary: 'leave a value that only a person can get, for the next rotation',
  about: 'one',
  details: `The value is read from standard input, or asked for without echo on a terminal; never from an argument. It is
checked against the rules of its class and stored under the label KEYTURN_SUPPLIED, where it changes nothing until
the secret is rotated.

    keyturn supply EXO_CLAUDE_API_KEY < value.txt`,
  flags: {},
  surplus:
    'supply takes no value as an argument: it would be seen by every process of this machine, and stay in the shell’s history. Take it for leaked, get another one, and give that on standard input.',

  async run({ given, deployment, ports, terminal }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key } = subject.secret;
    demandSupplied(subject);
    const value = await readValue(`Value of ${key} (not shown): `, terminal);
    if (value === null) {
      throw new KeyturnError({ code: 'OperationRefused', message: 'Nothing was typed; nothing is stored.' });
    }
    const { versionId, replaced } = await supply(subject, value, ports);
    const instead = replaced === null ? '' : ` in place of version ${replaced}`;
    return {
      exitCode: exitCodes.ok,
      text: `The value waits as version ${versionId} under KEYTURN_SUPPLIED${instead}.\nTo use it: keyturn rotate ${key}\n`,
      json: { secret: key, versionId, replaced },
    };
  },
};
