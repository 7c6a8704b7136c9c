import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { suppliedLabel } from '../../../lambdas/contract/marks.ts';
import { holderOf } from '../../../lambdas/rotation/guards.ts';
import { consentOn } from '../../../lib/operations/consents.ts';
import {
  type Finding,
  findingsOf,
  type Limits,
  sessionsEndAt,
  usualLimits,
} from '../../../lib/operations/findings.ts';
import { keysSeen, keysSentence } from '../../../lib/operations/keys.ts';
import { ageOf, lookAt, type Sighting } from '../../../lib/operations/look.ts';
import { phaseOf as phaseIn } from '../../../lib/operations/phase.ts';
import { moment, parseSpan, span } from '../../../lib/operations/spans.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Paint } from '../../../lib/rehearsal/paint.ts';
import { columns } from '../columns.ts';
import type { Command, Context, Given } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

/** Secrets that are looked at side by side: each takes about five calls. */
const sideBySide = 4;

interface Seen {
  readonly sighting: Sighting;
  readonly findings: readonly Finding[];
}

export const command: Command = {
  name: 'status',
  summary: 'where each secret stands, and what to do about it',
  about: 'any',
  details: `Without SECRET it looks at every secret of the deployment. It reads ids, labels, tags and times, never a value.
Exit code 1 tells that something is wrong: a stuck pending version, a stalled or missing rollout, an overdue
rotation, rotation switched off, a secret without a value.`,
  flags: {
    'stuck-after': { value: 'TIME', help: 'take a pending version of this age for stuck; default: 15m' },
  },

  async run(context) {
    const limits = limitsOf(context.given);
    const seen = await lookAtAll(context, limits);
    const wrong = seen.some(({ findings }) => findings.some(({ weight }) => weight === 'wrong'));
    return {
      exitCode: wrong ? exitCodes.wrong : exitCodes.ok,
      text: textOf(seen, context.paint),
      json: {
        deployment: context.deployment.name,
        ok: !wrong,
        secrets: seen.map(jsonOf),
      },
    };
  },
};

function limitsOf(given: Given): Limits {
  const text = given.text('stuck-after');
  if (text === null) return usualLimits;
  const stuckAfter = parseSpan(text);
  if (stuckAfter !== null) return { stuckAfter };
  throw new KeyturnError({
    code: 'UsageInvalid',
    message: '--stuck-after must be a length of time, like 15m or 2h.',
  });
}

async function lookAtAll({ given, deployment, ports }: Context, limits: Limits): Promise<Seen[]> {
  const names = given.secrets.length > 0 ? given.secrets : deployment.secrets.map(({ key }) => key);
  const subjects = names.map((name) => subjectOf(deployment, name));
  const seen: Seen[] = [];
  for (let from = 0; from < subjects.length; from += sideBySide) {
    const some = subjects.slice(from, from + sideBySide).map(async (subject) => {
      const sighting = await lookAt(subject, ports);
      return { sighting, findings: findingsOf(sighting, limits) };
    });
    seen.push(...(await Promise.all(some)));
  }
  return seen;
}

const meanings = { wrong: 'bad', waiting: 'waiting', note: 'quiet' } as const;

function textOf(seen: readonly Seen[], paint: Paint): string {
  const rows = seen.map(({ sighting, findings }) => {
    const { subject, overview, currentId } = sighting;
    const age = currentId === null ? null : ageOf(sighting, currentId);
    return [
      subject.secret.key,
      age === null ? 'no value' : span(age),
      overview.nextRotationAt === null ? 'on demand' : moment(overview.nextRotationAt),
      rolloutOf(sighting),
      stateOf(findings[0]),
    ];
  });
  const table = columns([['SECRET', 'AGE', 'NEXT DUE BY', 'ROLLOUT', 'STATE'], ...rows]);
  const [heading = '', ...lines] = table.trimEnd().split('\n');
  const details = seen.flatMap((one) => [...findingsText(one, paint), ...keysText(one, paint)]);
  return `${paint('heading', heading)}\n${lines.join('\n')}\n${details.length === 0 ? '' : `\n${details.join('')}`}`;
}

function findingsText({ sighting, findings }: Seen, paint: Paint): string[] {
  return findings.map(
    ({ weight, sentence, command: next }) =>
      `${paint(meanings[weight], `${sighting.subject.secret.key}: ${sentence}`)}\n${next === null ? '' : `  → ${next}\n`}`,
  );
}

/** Of data keys: which is in use and which are still accepted, where a rollout is in charge of the version. */
function keysText({ sighting }: Seen, paint: Paint): string[] {
  const keys = keysSeen(sighting);
  if (keys === null || sighting.walked === null) return [];
  return [`${paint('quiet', `${sighting.subject.secret.key}: ${keysSentence(keys)}`)}\n`];
}

/** A note takes nothing from a secret that is as it should be. */
function stateOf(weightiest: Finding | undefined): string {
  return weightiest === undefined || weightiest.weight === 'note' ? 'ok' : weightiest.weight;
}

function rolloutOf(sighting: Sighting): string {
  const { rollout } = sighting;
  const phase = overlapOf(sighting);
  const told = phase === null ? '' : ` (${phase})`;
  if (rollout.is === 'running') return `running: ${rollout.trying.stage}${told}`;
  return rollout.is === 'stalled' ? `stalled at ${rollout.at}${told}` : `${rollout.is}${told}`;
}

/** How far an overlap is, while that matters: it is told by the ids of versions, and no value is read. */
function overlapOf(sighting: Sighting): string | null {
  return sighting.rollout.is === 'completed' || sighting.rollout.is === 'none' ? null : phaseIn(sighting);
}

function jsonOf({ sighting, findings }: Seen): object {
  const { subject, overview, currentId, rollout, walked, now } = sighting;
  const { key, class: secretClass } = subject.secret;
  const consent = consentOn(overview, now);
  const age = currentId === null ? null : ageOf(sighting, currentId);
  return {
    secret: key,
    class: secretClass.id,
    arn: overview.arn,
    phase: phaseOf(sighting),
    overlap: overlapOf(sighting),
    dataKeys: keysSeen(sighting),
    current:
      currentId === null
        ? null
        : { versionId: currentId, ageSeconds: age === null ? null : Math.floor(age / 1_000) },
    lastRotatedAt: overview.lastRotatedAt?.toISOString() ?? null,
    nextRotationBy: overview.nextRotationAt?.toISOString() ?? null,
    rotationEnabled: overview.rotationEnabled,
    rollout: {
      is: rollout.is,
      attempt: walked?.number ?? null,
      execution: walked?.execution.arn ?? null,
      ...(rollout.is === 'running' ? { ...rollout.trying, sessionsEndAt: sessionsEndAt(sighting) } : {}),
      ...(rollout.is === 'stalled' ? { stage: rollout.at, code: rollout.code } : {}),
    },
    labels: Object.fromEntries(overview.labels),
    consent:
      consent === null ? null : { is: consent.is, until: consent.until.toISOString(), text: consent.text },
    supplied: holderOf(overview, suppliedLabel),
    findings,
  };
}

/** What goes on now, in a word. */
function phaseOf({ pendingId, rollout }: Sighting): string {
  if (pendingId !== null) return 'rotating';
  if (rollout.is === 'running' || rollout.is === 'starting') return 'rolling out';
  return 'resting';
}
