/** The numbers as tables. Times appear only as ratios: another machine has others. */
import type { Bundles, Start } from './bundles.ts';
import { type CallRow, templates } from './calls.ts';
import type { CredentialRow } from './credentials.ts';
import type { RateRow } from './rates.ts';
import type { Reencryption } from './reencrypt.ts';
import { targets } from './targets.ts';

export function printCalls(rows: readonly CallRow[]): string {
  const theirs = (name: string) => rows.find((row) => row.name === name)?.warm.calls ?? Number.NaN;
  const generic = theirs(templates.generic);
  const postgresql = theirs(templates.postgresql);
  const against = (calls: number, other: number) => `${(other / calls).toFixed(2)}x`;
  return [
    'Secrets Manager calls per rotation, all counted by the same local Secrets Manager',
    `(targets: at most ${targets.warmCalls} warm, ${targets.freshCalls} where finish meets a fresh container, ${targets.writes} of them writes;`,
    ' the templates’ sequences: aws-samples/aws-secrets-manager-rotation-lambdas, replayed by test/bench/aws-templates.ts;',
    ' the four steps only: the stages of our rollout make calls of their own, and the templates have no rollout)',
    '',
    ...aligned(
      ['', 'warm', 'fresh', 'writes', `generic/this`, `PostgreSQL/this`],
      rows.map(({ name, warm, fresh }) => [
        name,
        String(warm.calls),
        String(fresh.calls),
        String(warm.writes),
        against(warm.calls, generic),
        against(warm.calls, postgresql),
      ]),
    ),
    '',
    ...aligned(
      ['', 'create', 'set', 'test', 'finish'],
      rows.map(({ name, warm: { steps } }) => [
        name,
        ...['create', 'set', 'test', 'finish'].map((step) => sequence(steps[step] ?? [])),
      ]),
      'left',
    ),
  ].join('\n');
}

export function printBundles({ bare, runs, rows }: Bundles): string {
  const ratio = (start: Start | null, other: Start) =>
    start === null ? '-' : `${(start.milliseconds / other.milliseconds).toFixed(2)}x`;
  const cpu = (start: Start | null, other: Start) =>
    start === null ? '-' : `${(start.cpuMilliseconds / other.cpuMilliseconds).toFixed(2)}x`;
  return [
    `Bundle per function (target: at most ${targets.kilobytes} KB minified), and from the start of a node process`,
    `until it is imported, as a ratio (medians of ${runs} fresh processes each, interleaved; in brackets CPU time)`,
    '',
    ...aligned(
      ['', 'KB', 'gzip', 'start/bare node', 'start/SDK unbundled', 'what dominates it'],
      rows.map(({ name, kilobytes, gzipKilobytes, heaviest, start, startUnbundled }) => [
        name,
        kilobytes.toFixed(0),
        gzipKilobytes.toFixed(0),
        `${ratio(start, bare)} (${cpu(start, bare)})`,
        startUnbundled === null ? '-' : `${ratio(start, startUnbundled)} (${cpu(start, startUnbundled)})`,
        heaviest.map((one) => `${one.package} ${Math.round(one.share * 100)} %`).join(', '),
      ]),
    ),
  ].join('\n');
}

export function printRates(rows: readonly RateRow[]): string {
  const share = (rate: number, of: number) => `${((rate / of) * 100).toFixed(0)} %`;
  return [
    'Calls a second of the local Secrets Manager (GetSecretValue through the unmodified SDK), as a share of what a',
    'bare node:http echo server gives the same number of clients',
    '',
    ...aligned(
      ['connections', 'of echo through the SDK', 'of echo through node:http', 'calls/s here'],
      rows.map(({ connections, endpoint, echo, bareEcho }) => [
        String(connections),
        share(endpoint, echo),
        share(endpoint, bareEcho),
        endpoint.toFixed(0),
      ]),
    ),
  ].join('\n');
}

export function printReencryption({ rows, rounds, rates, ratios, memory }: Reencryption): string {
  return [
    `Re-encryption of ${rows} rows of about 300 bytes (Fernet) on a PostgreSQL that commits to disk, over TLS; medians of`,
    `${rounds} rounds in which each way has a turn (targets: the sweep at least ${targets.timesRowByRow} times as fast as row by row, and at least`,
    `${targets.shareOfWrites * 100} % as fast as the writes alone: rows moved over the whole time until it was finished, ${(ratios.writesAlone * 100).toFixed(0)} %)`,
    '',
    ...aligned(
      ['', 'sweep/this', 'rows/s here'],
      [
        ['the sweep: compare-and-swap, read ahead, written behind', '1.00', rates.sweep.toFixed(0)],
        ['the same until its last write', ratios.moving.toFixed(2), rates.moving.toFixed(0)],
        ['row by row, each committed', ratios.rowByRow.toFixed(2), rates.rowByRow.toFixed(0)],
        ['batches, one step after the other', ratios.batched.toFixed(2), rates.batched.toFixed(0)],
        [
          'the writes alone: compare-and-swap, read and encrypted before',
          ratios.writesAlone.toFixed(2),
          rates.writesAlone.toFixed(0),
        ],
        ['the ciphers alone, on one thread', ratios.ciphersAlone.toFixed(2), rates.ciphersAlone.toFixed(0)],
      ],
    ),
    '',
    memory === null
      ? 'Memory over ten times the rows: not measured (--large does).'
      : `Peak memory of a sweep over ${memory.manyRows} rows: ${(memory.manyBytes / memory.bytes).toFixed(2)} of that over ${memory.rows} (${Math.round(memory.bytes / 1e6)} MB; target: at most ${1 + targets.moreMemory}).`,
  ].join('\n');
}

export function printCredentials(rows: readonly CredentialRow[]): string {
  const theirs = (strategy: CredentialRow['strategy']) =>
    rows.find((row) => row.whose === 'aws' && row.strategy === strategy);
  const against = (own: number, other: number | undefined) =>
    other === undefined ? '-' : `${(other / own).toFixed(2)}x`;
  return [
    'A rotated PostgreSQL credential: Secrets Manager calls, their connections, and logins at the server, of the four steps,',
    'counted at one server and one local Secrets Manager (targets: at most 8 calls warm and 9 where finish meets a fresh',
    'container, over one connection; no more logins than AWS’s template, and none refused; theirs: their order of calls and',
    'logins, with `ssl` in the secret)',
    '',
    ...aligned(
      ['', 'calls', 'fresh', 'connections', 'logins', 'refused', 'template/this: calls', 'logins'],
      rows.map(({ name, strategy, warm, fresh, logins, refused }) => [
        name,
        String(warm.calls),
        String(fresh.calls),
        String(warm.connections),
        String(logins),
        String(refused),
        against(warm.calls, theirs(strategy)?.warm.calls),
        against(logins, theirs(strategy)?.logins),
      ]),
    ),
    '',
    ...aligned(
      ['', 'create', 'set', 'test', 'finish'],
      rows.map(({ name, warm: { steps } }) => [
        name,
        ...['create', 'set', 'test', 'finish'].map((step) => sequence(steps[step] ?? [])),
      ]),
      'left',
    ),
  ].join('\n');
}

/** `DescribeSecret, GetSecretValue, GetSecretValue` in few characters. */
function sequence(operations: readonly string[]): string {
  const short = operations.map((operation) =>
    operation
      .replace('UpdateSecretVersionStage', 'Move')
      .replace(/Secret(Value)?$/, '')
      .replace(/^GetRandomPassword$/, 'Random'),
  );
  return short.length === 0 ? '-' : short.join(' ');
}

/** Columns as wide as their widest cell: the first and texts to the left, numbers to the right. */
function aligned(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  align: 'left' | 'right' = 'right',
): string[] {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  // A text in the last column begins where its heading does.
  const textLast = rows.some((row) => /[a-z]{2}/.test(row.at(-1) ?? ''));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const last = column === row.length - 1;
        if (column === 0 || align === 'left') return last ? cell : cell.padEnd(width);
        return last && textLast ? cell : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
