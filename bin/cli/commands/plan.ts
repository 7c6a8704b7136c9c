import { lookAt } from '../../../lib/operations/look.ts';
import { type Obstacle, obstaclesTo } from '../../../lib/operations/obstacles.ts';
import { type Forecast, forecast, type PlannedPart } from '../../../lib/operations/plan.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Paint } from '../../../lib/rehearsal/paint.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export const command: Command = {
  name: 'plan',
  summary: 'what a rotation would do, in order, and what it breaks',
  about: 'one',
  details: `It changes nothing. Exit code 1 tells that something stands in the way of a rotation now: a missing consent, a
value that nobody has supplied, a pending version.`,
  flags: {},

  async run({ given, deployment, ports, paint }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const planned = forecast(subject, ports.clock.now());
    const obstacles = obstaclesTo(await lookAt(subject, ports));
    return {
      exitCode: obstacles.length === 0 ? exitCodes.ok : exitCodes.wrong,
      text: textOf(planned, obstacles, paint),
      json: { ...planned, obstacles },
    };
  },
};

function textOf(planned: Forecast, obstacles: readonly Obstacle[], paint: Paint): string {
  const { secret, class: classId, plan, breaks, needsConsent, needsSupply } = planned;
  const name = Math.max(...[...planned.steps, ...planned.stages].map((part) => part.name.length));
  const facts = [
    breaks === null ? 'It breaks nothing.' : `It breaks something: ${breaks}.`,
    needsConsent === null
      ? 'It needs no consent now.'
      : `It needs a person's consent now, because ${needsConsent}.`,
    ...(needsSupply ? ['Its value comes from a person.'] : []),
  ];
  return `${paint('heading', `${secret} (${classId}), plan ${plan}`)}

Rotation, by Secrets Manager:
${planned.steps.map((part) => line(part, name)).join('')}  If one fails: ${planned.steps[0]?.onFailure ?? ''}.

Rollout, by Step Functions:
${planned.stages.map((part) => line(part, name) + wayOut(part, name)).join('')}
${facts.join('\n')}
${
  obstacles.length === 0
    ? paint('good', `Nothing stands in its way: keyturn rotate ${secret}`)
    : obstacles
        .map(({ sentence, hint }) => `${paint('bad', `In its way: ${sentence}`)}\n  → ${hint}`)
        .join('\n')
}
`;
}

function line({ name, does, waitSeconds, touches }: PlannedPart, width: number): string {
  const wait = waitSeconds === 0 ? '' : ` (after ${waitSeconds} s)`;
  const rows = touches.map((touched) => `${' '.repeat(width + 4)}- ${touched}\n`);
  return `  ${name.padEnd(width)}  ${does}${wait}\n${rows.join('')}`;
}

function wayOut({ onFailure }: PlannedPart, width: number): string {
  return `${' '.repeat(width + 4)}if it fails: ${onFailure}\n`;
}
