/**
 * What must never break (design, section 4), judged by what a rehearsal saw. A rule that this run could not
 * test says so; it does not count as broken.
 */
import type { Played } from './play.ts';
import type { ReportRule } from './report.ts';
import type { ServerLog } from './server-log.ts';

export interface Seen {
  readonly played: readonly Played[];
  /** Rotations that Secrets Manager had started by the time everything was deployed. */
  readonly rotationsAfterDeploy: number;
  readonly leaks: readonly { readonly label: string; readonly where: string }[];
  /** Values that were searched for. */
  readonly watched: number;
  /** What the run's servers have logged, all of it searched. */
  readonly serverLogs: readonly ServerLog[];
  /** Sentences of deployment files that were refused, of those that should be; before anything was made. */
  readonly badFiles: { readonly tried: number; readonly refused: number };
}

export function judge(seen: Seen): ReportRule[] {
  const { played } = seen;
  const silent = seen.serverLogs.find(({ statements }) => statements === 0);
  const completed = played.filter(({ row }) => row.outcome === 'completed');
  const refused = played.filter(({ row }) => row.outcome === 'refused');
  const of = (scenario: string) => played.filter(({ row }) => row.scenario.startsWith(scenario));
  return [
    currentWorks(played),
    ruleOnKeys(of('without consent'), completed),
    oldValuesDie(completed),
    {
      id: 4,
      held: seen.leaks.length === 0 && silent === undefined,
      evidence:
        silent !== undefined
          ? `${silent.name} shows none of its ${silent.asked}, so that its search proves nothing`
          : seen.leaks.length === 0
            ? `${seen.watched} values searched for in logs, events, histories, templates, messages and calls${inServerLogs(seen)}: none found`
            : seen.leaks.map(({ label, where }) => `${label} in ${where}`).join('; '),
    },
    asExpected(
      5,
      [...of('crash'), ...of('event')],
      'rotations with a crash, a lost answer, or an event doubled, lost or late ended completed',
    ),
    {
      id: 6,
      held:
        refused.every(({ untouched }) => untouched === true) &&
        of('consumer never healthy').every(({ currentAccepted }) => currentAccepted !== false),
      evidence:
        refused.length === 0
          ? notSeen
          : `${refused.length} refused rotations moved nothing; ${afterFailure(of('consumer never healthy'))}`,
    },
    asExpected(7, of('without consent'), 'rotations of guarded secrets refused without consent'),
    {
      id: 8,
      held: seen.rotationsAfterDeploy === 0,
      evidence: `${seen.rotationsAfterDeploy} rotations after deploying every stack`,
    },
    badInput(seen, of('value that is no document')),
  ];
}

function inServerLogs({ serverLogs }: Seen): string {
  return serverLogs
    .map(
      ({ name, asked, lines, statements, passwordsSet }) =>
        `, and in ${lines} lines of ${name} (${statements} ${asked}, ${passwordsSet} of them set a password)`,
    )
    .join('');
}

const notSeen = 'nothing in this run could test it';

function currentWorks(played: readonly Played[]): ReportRule {
  const requests = played.reduce((sum, { row }) => sum + (row.requests?.total ?? 0), 0);
  const failed = played.reduce((sum, { row }) => sum + (row.requests?.failed ?? 0), 0);
  const excused = played.reduce((sum, { refusedInCutover }) => sum + refusedInCutover, 0);
  const gap = Math.max(0, ...played.map(({ row }) => row.gapSeconds ?? 0));
  const broken = played.filter(
    ({ row, currentAccepted }) => row.outcome !== 'refused' && currentAccepted === false,
  );
  const failures = played.flatMap((one) => one.failures);
  const sessions = sessionEvidence(played);
  return {
    id: 1,
    held: failed === 0 && broken.length === 0 && sessions.held,
    evidence:
      failed === 0 && sessions.held
        ? `${requests} requests, 0 failed; ${excused} ended by declared cutovers, longest gap ${gap} s${sessions.evidence}`
        : `${failed} of ${requests} requests failed${sessions.evidence}: ${failures.slice(0, 3).join(' ')}`,
  };
}

/** What is current after a rollout that could not go on. */
function afterFailure(failed: readonly Played[]): string {
  const stalled = failed.filter(({ row }) => row.outcome === 'stalled').length;
  const back = `after ${failed.length - stalled} rolled back the former value works`;
  return stalled === 0 ? back : `${back}, after ${stalled} stalled the new one`;
}

/**
 * Open sessions at a database never fail. New logins fail only where the strategy says so, and there the time in which
 * the current value did not work has been measured.
 */
function sessionEvidence(played: readonly Played[]): { readonly held: boolean; readonly evidence: string } {
  const rows = played.map(({ row }) => row).filter(({ statements }) => statements !== null);
  if (rows.length === 0) return { held: true, evidence: '' };
  const sum = (of: (row: Played['row']) => number | undefined) =>
    rows.reduce((total, row) => total + (of(row) ?? 0), 0);
  const failed = sum(({ statements }) => statements?.failed);
  const refused = sum(({ logins }) => logins?.failed);
  const inGap = sum(({ logins }) => logins?.inGap);
  const idle = rows.some(({ statements, logins }) => statements?.total === 0 || logins?.total === 0);
  const unmeasured = rows.some(({ logins, gapSeconds }) => (logins?.inGap ?? 0) > 0 && gapSeconds === null);
  const counted = `${failed} of ${sum(({ statements }) => statements?.total)} statements failed on open sessions and ${refused} of ${sum(({ logins }) => logins?.total)} new logins, beside ${inGap} before the consumers of a single user had restarted`;
  return {
    held: failed === 0 && refused === 0 && !idle && !unmeasured,
    evidence: `; ${counted}${idle ? ', and one rotation had no sessions' : ''}${unmeasured ? ' that nobody measured' : ''}`,
  };
}

/**
 * A completed rotation of a data key has moved rows and left none. What nothing can move is guarded, and must stay. A
 * lost write, or a row that the retired key still opens, has made its rotation one that did not complete.
 */
function ruleOnKeys(guarded: readonly Played[], completed: readonly Played[]): ReportRule {
  const moved = completed.filter(({ row }) => row.rowsReencrypted !== null);
  const rows = moved.reduce((sum, { row }) => sum + (row.rowsReencrypted ?? 0), 0);
  const evidence = [
    ...(moved.length === 0
      ? []
      : [`${rows} rows moved by ${moved.length} rotations, none left, no acknowledged write lost`]),
    ...(guarded.length === 0
      ? []
      : [`${guarded.map(({ row }) => row.secret).join(', ')}: guarded, and did not move without consent`]),
  ];
  return {
    id: 2,
    held:
      guarded.every(({ untouched }) => untouched === true) &&
      moved.every(({ row }) => row.rowsLeft === 0 && (row.rowsReencrypted ?? 0) > 0),
    evidence: evidence.length === 0 ? notSeen : evidence.join('; '),
  };
}

function oldValuesDie(completed: readonly Played[]): ReportRule {
  const probed = completed.filter(({ row }) => row.oldValueRefused !== null);
  const dead = probed.filter(({ row }) => row.oldValueRefused === true);
  // A rotation of which a retired key opened anything is no completed one.
  const tried = completed.filter(({ row }) => row.oldValueRefused === null && row.rowsReencrypted !== null);
  const unknown = completed.length - probed.length - tried.length;
  const evidence = [
    ...(probed.length === 0 ? [] : [`${dead.length} of ${probed.length} probed and refused`]),
    ...(tried.length === 0
      ? []
      : [`after ${tried.length} rotations no stored value was opened by the retired key`]),
    ...(unknown === 0 ? [] : [`${unknown} that nothing can probe`]),
  ];
  return {
    id: 3,
    held: dead.length === probed.length,
    evidence: evidence.length === 0 ? notSeen : evidence.join('; '),
  };
}

function asExpected(id: number, played: readonly Played[], what: string): ReportRule {
  const held = played.filter(({ row }) => row.outcome === row.expected);
  return {
    id,
    held: held.length === played.length,
    evidence: played.length === 0 ? notSeen : `${held.length} of ${played.length} ${what}`,
  };
}

function badInput({ badFiles }: Seen, played: readonly Played[]): ReportRule {
  const refused = played.filter(({ row, untouched }) => row.outcome === 'refused' && untouched === true);
  return {
    id: 9,
    held: refused.length === played.length && badFiles.refused === badFiles.tried,
    evidence: `${badFiles.refused} of ${badFiles.tried} bad deployment files and ${refused.length} of ${played.length} bad values refused`,
  };
}
