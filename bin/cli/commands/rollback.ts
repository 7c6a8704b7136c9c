import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { followRollout } from '../../../lib/operations/follow.ts';
import { prepareRollback, rollBack } from '../../../lib/operations/rollback.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { confirmed } from '../read-value.ts';
import { started } from '../started.ts';
import { patienceOf, waitFlags, watch } from '../watch.ts';

export const command: Command = {
  name: 'rollback',
  summary: 'go back to the version that was current before',
  about: 'one',
  details: `Makes the earlier version current, restarts the consumers, and has the value that was given up proven dead. Refuses
where the class cannot restore its target, where the earlier value is no longer good, and while a rotation or
rollout is under way. Where stored data is under the key, the stalled rollout goes back itself: the data returns to
the old key, and the new one goes when a count says that nothing needs it; refused once the old key is retired.`,
  flags: {
    to: { value: 'VERSION', help: 'go back to this version; default: the one labelled AWSPREVIOUS' },
    yes: { value: null, help: 'do not ask; needed where nobody can answer' },
    ...waitFlags,
  },

  async run(context) {
    const { given, deployment, ports, terminal } = context;
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key, class: secretClass, settings } = subject.secret;
    patienceOf(given);
    if (!given.has('yes') && terminal.stdin.isTTY !== true) {
      throw new KeyturnError({
        code: 'UsageInvalid',
        message: 'rollback must have --yes where standard input is no terminal: nobody can be asked.',
      });
    }
    const rollback = await prepareRollback(subject, given.text('to'), ports);
    const breaks = secretClass.bind(settings.options).breaks();
    const question = `${key} goes back from version ${rollback.givenUp} to ${rollback.restored}, and its consumers restart${breaks === null ? '' : `; ${breaks}`}. Go on?`;
    if (!given.has('yes') && !(await confirmed(question, terminal))) {
      return {
        exitCode: exitCodes.wrong,
        text: 'Nothing was changed.\n',
        json: { secret: key, end: 'not-begun' },
      };
    }
    const rollout = await rollBack(subject, rollback, ports);
    return given.has('wait')
      ? watch(subject, 'rollback', context, (following) => followRollout(subject, rollout.state, following))
      : started(subject, rollout);
  },
};
