import { followRotation } from '../../../lib/operations/follow.ts';
import { rotate } from '../../../lib/operations/rotate.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { patienceOf, waitFlags, watch } from '../watch.ts';

export const command: Command = {
  name: 'rotate',
  summary: 'rotate a secret now',
  about: 'one',
  details: `Refuses at once, in a sentence, what Secrets Manager would accept and then fail: a guarded secret without consent,
a value that nobody has supplied, a rotation that is under way or stuck. With --wait exit code 0 means completed:
the consumers run with the new value, and the old one was probed where something can probe it.
Of the four steps Secrets Manager shows two things: that create has stored the value, and that finish has made it
current. Set and test lie between them and are shown together; both are done when finish is seen. Why one of them
fails stands in the log group of the rotation function. Stages of the rollout are shown one by one.`,
  flags: waitFlags,

  async run(context) {
    const { given, deployment, ports } = context;
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    patienceOf(given);
    const begun = await rotate(subject, ports);
    if (given.has('wait')) {
      return watch(subject, 'rotate', context, (following) => followRotation(subject, begun, following));
    }
    const { key } = subject.secret;
    return {
      exitCode: exitCodes.ok,
      text: `The rotation of ${key} has begun: version ${begun.token}.\nSee how it gets on: keyturn status ${key}\n`,
      json: { secret: key, end: 'begun', versionId: begun.token },
    };
  },
};
