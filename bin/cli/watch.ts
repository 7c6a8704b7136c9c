/** Shows how a rotation or rollout gets on, and at its end what became of it. */
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { Followed, Following } from '../../lib/operations/follow.ts';
import { parseSpan } from '../../lib/operations/spans.ts';
import type { Subject } from '../../lib/operations/subject.ts';
import { startProgress } from '../../lib/rehearsal/progress.ts';
import { drawn } from '../../lib/rehearsal/timeline.ts';
import type { Context, Flag, Given, Result } from './command.ts';
import { exitCodes } from './exit-codes.ts';

export const waitFlags = {
  wait: { value: null, help: 'stay until it has ended, and show how it gets on' },
  timeout: { value: 'TIME', help: 'with --wait: stay no longer than this; default: 1h' },
} as const satisfies Record<string, Flag>;

const usualPatience = 3_600_000;

/** @throws KeyturnError UsageInvalid. */
export function patienceOf(given: Given): number {
  const text = given.text('timeout');
  if (text === null) return usualPatience;
  const patience = parseSpan(text);
  if (patience !== null && given.has('wait')) return patience;
  throw new KeyturnError({
    code: 'UsageInvalid',
    message:
      patience === null
        ? '--timeout must be a length of time, like 90s or 2h.'
        : '--timeout must stand beside --wait: without it nothing is waited for.',
  });
}

/** On a terminal one line that changes in place, in a pipe one line per change; both on stderr. */
export async function watch(
  { secret }: Subject,
  title: string,
  { ports, pause, terminal, given, paint }: Context,
  follow: (following: Following) => Promise<Followed>,
): Promise<Result> {
  const clockStart = ports.clock.now().getTime();
  const progress = startProgress(terminal.stderr, () => ports.clock.now().getTime() - clockStart);
  try {
    const followed = await follow({
      ports,
      pause,
      patience: patienceOf(given),
      onProgress: (what) => progress.update(secret.key, what),
    });
    const good = followed.end === 'completed';
    progress.finish(secret.key, followed.end, good ? 'good' : 'bad');
    return {
      exitCode: good ? exitCodes.ok : exitCodes.wrong,
      text: `${drawing(secret.key, secret.class.id, title, followed, paint)}${sentences(followed)}`,
      json: { secret: secret.key, ...followed },
    };
  } finally {
    progress.stop();
  }
}

function drawing(
  key: string,
  classId: string,
  title: string,
  followed: Followed,
  paint: Context['paint'],
): string {
  return drawn(
    { title: `${key} (${classId}), ${title}`, outcome: followed.end, stages: followed.passed },
    paint,
  );
}

function sentences({ sentence, hint }: Followed): string {
  return [sentence, hint].flatMap((text) => (text === null ? [] : [`${text}\n`])).join('');
}
