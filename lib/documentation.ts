/** The parts of the README that are made from the tables, so that they cannot say anything else. */
import { catalogOf, platformIds } from '../lambdas/catalog/platforms.ts';
import { classIds, classOf } from '../lambdas/classes/registry.ts';
import { type EventDescription, eventTypes } from '../lambdas/contract/events.ts';
import { type MetricDescription, metrics } from '../lambdas/contract/metrics.ts';
import { type Plan, plans } from '../lambdas/contract/plan.ts';
import type { StageDescription } from '../lambdas/contract/stage-description.ts';
import { stages } from '../lambdas/contract/stages.ts';

const admissions = {
  free: 'by schedule and on demand',
  'on-demand': 'on demand',
  guarded: 'on demand, with consent',
  elsewhere: 'by its own service; Keyturn follows',
} as const;

/** Marker name -> Markdown. Each stands in the README between `<!-- name -->` and `<!-- /name -->`. */
export const generated: ReadonlyMap<string, () => string> = new Map([
  ['classes', classTable],
  ['plans', planTable],
  ['platforms', platformTable],
  ['events', eventTable],
  ['metrics', metricTable],
]);

/** The README with every generated part made anew. @throws Error when a marker is missing. */
export function withGenerated(readme: string): string {
  let text = readme;
  for (const [name, render] of generated) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(open), text.indexOf(close)];
    if (from < 0 || to < from) throw new Error(`The README must have the markers ${open} and ${close}.`);
    text = `${text.slice(0, from + open.length)}\n${render()}${text.slice(to)}`;
  }
  return text;
}

function classTable(): string {
  return rows([
    ['class', 'the four steps', 'rotates', 'plan after finish'],
    ...classIds.map((id) => {
      const found = classOf(id);
      const { admission, steps, plans: ways } = present(found, id);
      return [`\`${id}\``, steps, admissions[admission], ways.map((plan) => `\`${plan}\``).join(' or ')];
    }),
  ]);
}

function planTable(): string {
  const described: Readonly<Record<string, StageDescription>> = stages;
  const lines = Object.entries(plans).map(([id, plan]: [string, Plan]) => {
    const way = plan.stages.map((stage) => `\`${stage}\``).join(' → ');
    return `\`${id}\`: ${plan.does}.\n\n${way}\n`;
  });
  const table = rows([
    ['stage', 'what it does'],
    ...Object.entries(described).map(([id, { does }]) => [`\`${id}\``, does]),
  ]);
  return `${lines.join('\n')}\n${table}`;
}

function eventTable(): string {
  return rows([
    ['detail-type', 'means', 'sent by', 'severity', 'detail also has'],
    ...Object.entries(eventTypes).map(
      ([type, { means, sentBy, severity, has }]: [string, EventDescription]) => [
        `\`${type}\``,
        means,
        sentBy,
        severity,
        has.map((member) => `\`${member}\``).join(' '),
      ],
    ),
  ]);
}

function metricTable(): string {
  return rows([
    ['metric', 'means', 'unit', 'dimensions'],
    ...Object.entries(metrics).map(([name, { means, unit, dimensions }]: [string, MetricDescription]) => [
      `\`${name}\``,
      means,
      unit,
      dimensions.map((set) => set.join(', ')).join('; '),
    ]),
  ]);
}

function platformTable(): string {
  return rows([
    ['platform', 'secret', 'class', 'what its document says'],
    ...platformIds.flatMap((id) => {
      const { title, secrets } = catalogOf(id);
      return Object.entries(secrets).map(([key, secret]) => [
        title,
        `\`${key}\``,
        `\`${secret.class}\``,
        secret.note,
      ]);
    }),
  ]);
}

function rows([head = [], ...body]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return `${line(head)}${line(head.map(() => '---'))}${body.map(line).join('')}`;
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`The registry has no ${name}.`);
  return value;
}
