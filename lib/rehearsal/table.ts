/**
 * The end of a rehearsal on a terminal: one row per rotation, its timeline, one line per rule. The class is
 * in the timeline's heading, where there is room for it.
 */
import { type Meaning, type Paint, plain } from './paint.ts';
import { type Report, type ReportRule, type ReportSecret, ruleTexts } from './report.ts';

/** Characters of the widest line. */
const width = 110;
const gap = '  ';
/** What a narrowed column keeps at least. */
const leastWidth = 8;

interface Column {
  readonly heading: string;
  readonly align: 'left' | 'right';
  /** May lose its end when the table is too wide. */
  readonly narrows: boolean;
  /** What the numbers are, for the line below the table. Left out: the heading says it. */
  readonly says?: string;
  /** Null: does not apply to this row. A column that applies to no row is left out. */
  cell(row: ReportSecret): string | null;
  meaning?(row: ReportSecret): Meaning;
}

const text = { align: 'left', narrows: true } as const;
const number = { align: 'right', narrows: false } as const;

const columns: readonly Column[] = [
  { ...text, heading: 'platform', cell: (row) => row.platform },
  { ...text, heading: 'secret', cell: (row) => row.secret },
  { ...text, heading: 'scenario', cell: (row) => row.scenario },
  {
    ...text,
    narrows: false,
    heading: 'outcome',
    cell: (row) => (row.outcome === row.expected ? row.outcome : `${row.outcome}!`),
    meaning: (row) => (row.outcome === row.expected ? 'good' : 'bad'),
  },
  { ...number, heading: 's', says: 'seconds', cell: (row) => total(row).toFixed(1) },
  {
    ...number,
    heading: 'calls',
    says: 'of the rotation to Secrets Manager',
    cell: (row) => shown(row.secretsManagerCalls),
  },
  {
    ...number,
    heading: 'failed',
    says: 'requests of clients, of all',
    // Of how many: none failed of none served shows nothing.
    cell: (row) => (row.requests === null ? null : `${row.requests.failed}/${row.requests.total}`),
    meaning: (row) => (row.requests?.failed === 0 && row.requests.total > 0 ? 'good' : 'bad'),
  },
  {
    ...number,
    heading: 'queries',
    says: 'those that failed on open sessions, of all',
    cell: (row) => (row.statements === null ? null : `${row.statements.failed}/${row.statements.total}`),
    meaning: (row) => (row.statements?.failed === 0 && row.statements.total > 0 ? 'good' : 'bad'),
  },
  {
    ...number,
    heading: 'logins',
    says: 'those that were refused, of all',
    cell: (row) => (row.logins === null ? null : `${row.logins.failed}/${row.logins.total}`),
    meaning: (row) => (row.logins?.failed === 0 && row.logins.total > 0 ? 'good' : 'bad'),
  },
  // Refused logins that the strategy explains: shown where there are any.
  {
    ...number,
    heading: 'in gap',
    says: 'logins that the gap explains',
    cell: (row) => shown(row.logins?.inGap || null),
  },
  {
    ...number,
    heading: 'gap',
    says: 'longest time for which a client’s value did not work, in seconds',
    cell: (row) => row.gapSeconds?.toFixed(2) ?? null,
  },
  { ...number, heading: 'rows', says: 'moved to the new key', cell: (row) => shown(row.rowsReencrypted) },
  {
    ...number,
    heading: 'left',
    says: 'rows under the old key',
    cell: (row) => shown(row.rowsLeft),
    meaning: (row) => ((row.rowsLeft ?? 0) > 0 ? 'bad' : 'good'),
  },
  {
    ...text,
    narrows: false,
    heading: 'old value',
    cell: (row) => (row.oldValueRefused === null ? null : row.oldValueRefused ? 'refused' : 'accepted'),
    meaning: (row) => (row.oldValueRefused === true ? 'good' : 'bad'),
  },
];

/** What the headings of the table mean, in lines of at most 110 characters. Empty: they need no words. */
export function legend(rows: readonly ReportSecret[], paint: Paint = plain): string {
  const words = columns
    .filter((column) => column.says !== undefined && rows.some((row) => column.cell(row) !== null))
    .map(({ heading, says }) => `${heading}: ${says}`);
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1)}; ${word}`;
    if (lines.length > 0 && longer.length <= width) lines.splice(-1, 1, longer);
    else lines.push(word);
  }
  return lines.map((line) => `${paint('quiet', line)}\n`).join('');
}

/** One row per rotation, columns aligned, at most 110 characters wide. Ends with a line break. */
export function table(rows: readonly ReportSecret[], paint: Paint = plain): string {
  const shownColumns = columns.filter((column) => rows.some((row) => column.cell(row) !== null));
  const widths = fitted(
    shownColumns.map((column) => ({
      narrows: column.narrows,
      width: Math.max(column.heading.length, ...rows.map((row) => (column.cell(row) ?? '-').length)),
    })),
  );
  const line = (cells: readonly string[]) => `${cells.join(gap).trimEnd()}\n`;
  const heading = line(
    shownColumns.map((column, index) =>
      paint('heading', cut(column.heading, column.align, widths[index] ?? 0)),
    ),
  );
  const body = rows.map((row) =>
    line(
      shownColumns.map((column, index) => {
        const value = column.cell(row);
        const cell = cut(value ?? '-', column.align, widths[index] ?? 0);
        if (value === null) return paint('quiet', cell);
        return column.meaning === undefined ? cell : paint(column.meaning(row), cell);
      }),
    ),
  );
  return heading + body.join('');
}

/** One line per rule: its number, whether it held, what it says, what showed it. */
export function ruleLines(rules: readonly ReportRule[], paint: Paint = plain): string {
  const texts = rules.map(({ id }) => ruleTexts.get(id) ?? '');
  const widest = Math.max(0, ...texts.map((rule) => rule.length));
  return rules
    .map(({ id, held, evidence }, index) => {
      const word = held ? paint('good', 'held'.padEnd(5)) : paint('bad', 'broke');
      return `rule ${id}  ${word}  ${(texts[index] ?? '').padEnd(widest)}  ${evidence}\n`;
    })
    .join('');
}

/** The whole end: table, timelines, rules, a last line with the seed. */
export function ending(report: Report, drawn: string, paint: Paint = plain): string {
  return [
    table(report.secrets, paint),
    legend(report.secrets, paint),
    drawn,
    ruleLines(report.rules, paint),
    (report.notes ?? []).map((note) => `${note}\n`).join(''),
    `${report.seconds.toFixed(1)} s, seed ${report.seed}\n`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** Takes from the widest narrowing column, one character at a time, until the line fits. */
function fitted(wanted: readonly { readonly narrows: boolean; readonly width: number }[]): number[] {
  const widths = wanted.map((column) => column.width);
  const room = width - gap.length * (widths.length - 1);
  while (widths.reduce((sum, one) => sum + one, 0) > room) {
    const narrowing = widths.map((one, index) => (wanted[index]?.narrows === true ? one : 0));
    const widest = Math.max(...narrowing);
    if (widest <= leastWidth) break;
    widths[narrowing.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function cut(value: string, align: 'left' | 'right', size: number): string {
  const short = value.length > size ? `${value.slice(0, size - 1)}…` : value;
  return align === 'left' ? short.padEnd(size) : short.padStart(size);
}

function total(row: ReportSecret): number {
  return row.stages.reduce((sum, stage) => sum + stage.seconds, 0);
}

function shown(value: number | null): string | null {
  return value === null ? null : String(value);
}
