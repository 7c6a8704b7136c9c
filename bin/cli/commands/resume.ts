import { followRollout } from '../../../lib/operations/follow.ts';
import { resume } from '../../../lib/operations/resume.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Command } from '../command.ts';
import { started } from '../started.ts';
import { patienceOf, waitFlags, watch } from '../watch.ts';

export const command: Command = {
  name: 'resume',
  summary: 'go on with a rollout that stalled or never began',
  about: 'one',
  details: `Starts the next attempt of the current version's rollout, from what the stopped one knew. Consumers that run with
the version already are not restarted again. A rollout that was on its way back with stored data goes on going
back. Refuses while a rollout runs, and when it is completed.`,
  flags: waitFlags,

  async run(context) {
    const { given, deployment, ports } = context;
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    patienceOf(given);
    const rollout = await resume(subject, ports);
    return given.has('wait')
      ? watch(subject, 'resume', context, (following) => followRollout(subject, rollout.state, following))
      : started(subject, rollout);
  },
};
