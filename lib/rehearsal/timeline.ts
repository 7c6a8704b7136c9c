/** A rotation drawn: one bar per step and stage, its place and length in proportion to time. */
import { type Paint, plain } from './paint.ts';
import type { ReportSecret, ReportStage } from './report.ts';

/** Characters of the drawing's widest line. */
const width = 110;
const leastBars = 10;

/** What can be drawn. */
export interface Drawn {
  readonly title: string;
  readonly outcome: string;
  readonly stages: readonly ReportStage[];
}

/** A row of a report, drawn. */
export function timeline(row: ReportSecret, paint: Paint = plain): string {
  return drawn({ ...row, title: `${row.platform} ${row.secret} (${row.class}), ${row.scenario}` }, paint);
}

/** Ends with a line break; without stages it is the heading alone. */
export function drawn(row: Drawn, paint: Paint = plain): string {
  const whole = row.stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const heading = `${row.title}: ${row.outcome} after ${seconds(whole)}`;
  const names = Math.max(0, ...row.stages.map(({ name }) => name.length));
  const times = Math.max(0, ...row.stages.map((stage) => seconds(stage.seconds).length));
  // Two spaces before the name, two after it, two before the time.
  const bars = Math.max(leastBars, width - names - times - 6);
  let began = 0;
  const lines = row.stages.map((stage) => {
    const first = Math.min(bars - 1, place(began, whole, bars));
    began += stage.seconds;
    // A stage of no length is drawn too: that it ran is what the line says.
    const end = Math.max(first + 1, place(began, whole, bars));
    const bar = `${' '.repeat(first)}${paint('good', '█'.repeat(end - first))}${' '.repeat(bars - end)}`;
    return `  ${stage.name.padEnd(names)}  ${bar}  ${seconds(stage.seconds).padStart(times)}\n`;
  });
  return `${paint('heading', heading)}\n${lines.join('')}`;
}

/** Which of `bars` characters this moment falls on. */
function place(moment: number, whole: number, bars: number): number {
  return whole === 0 ? 0 : Math.min(bars, Math.round((moment / whole) * bars));
}

function seconds(value: number): string {
  return value < 0.01 && value > 0 ? '<0.01 s' : `${value.toFixed(2)} s`;
}
