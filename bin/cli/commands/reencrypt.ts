import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { named } from '../../../lib/operations/acknowledge.ts';
import { type Reencrypted, reencrypt, type Work } from '../../../lib/operations/reencrypt.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import { startProgress } from '../../../lib/rehearsal/progress.ts';
import type { Command, Given } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { drawnHeadway, plainHeadway } from '../headway.ts';

export const command: Command = {
  name: 'reencrypt',
  summary: 'move or count the data under a key, from this machine',
  about: 'one',
  details: `Runs the re-encryption hooks of the deployment file here, with all the time that they take; a rollout does the same by
itself, in slices. It reads the current value, connects to what the hooks name, and may run beside the rollout: a row
is written only as it was read. With --dry-run it tells what would be moved, with --verify it looks at everything
again and counts what still needs another key; both change nothing. Ends with 1 when something is left.`,
  flags: {
    'dry-run': { value: null, help: 'tell what would be moved; change nothing' },
    verify: { value: null, help: 'count what still needs another key; change nothing' },
  },

  async run({ given, deployment, ports, data, terminal }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key } = subject.secret;
    const work = workOf(given);
    const progress = startProgress(terminal.stderr);
    const headway = terminal.stderr.isTTY === true ? drawnHeadway : plainHeadway;
    const kinds = new Set(subject.secret.reencryptions.map(({ kind }) => kind));
    const done = await reencrypt(subject, work, ports, {
      ...(await data([...kinds])),
      progress: (report) => progress.update(`${key}, ${work}`, headway(report)),
    }).finally(() => progress.stop());
    return {
      exitCode: done.left === 0 ? exitCodes.ok : exitCodes.wrong,
      text: text(done, work, key),
      json: { secret: key, work, ...done },
    };
  },
};

function workOf(given: Given): Work {
  if (given.has('dry-run') && given.has('verify')) {
    throw new KeyturnError({
      code: 'UsageInvalid',
      message: 'reencrypt takes --dry-run or --verify, not both.',
    });
  }
  return given.has('verify') ? 'verify' : given.has('dry-run') ? 'dry-run' : 'move';
}

function text(done: Reencrypted, work: Work, key: string): string {
  const rows = done.targets.map(({ target, total, moved, left, poisoned, under }) => {
    const keys = Object.entries(under ?? {}).map(([id, count]) => `${count} under ${id}`);
    return `  ${target}: ${[`${total ?? 'an unknown number'} in all`, `${moved} moved`, `${left} left`, `${poisoned} unreadable`, ...keys].join(', ')}\n`;
  });
  const aside = done.setAside.map((one) => `  ${named(one)}\n`);
  const end =
    done.left === 0
      ? `Nothing needs another key than ${done.writeKey}.\n`
      : `${done.left} ${work === 'dry-run' ? 'would be moved or cannot be read' : 'still need another key'}.${aside.length === 0 ? '' : ` A row that cannot be read: repair it, remove it, or keyturn acknowledge ${key}.`}\n`;
  return `${rows.join('')}${aside.length === 0 ? '' : `Set aside:\n${aside.join('')}`}${done.notes.map((note) => `Note: ${note}\n`).join('')}${end}`;
}
