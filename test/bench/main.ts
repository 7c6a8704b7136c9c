/** `npm run bench`: what the pipeline costs, side by side with what it is measured against; exit 1 past a target. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Progress, startProgress } from '../../lib/rehearsal/progress.ts';
import { weighBundles } from './bundles.ts';
import { countCalls } from './calls.ts';
import { countCredentials } from './credentials.ts';
import { printBundles, printCalls, printCredentials, printRates, printReencryption } from './print.ts';
import { measureRates } from './rates.ts';
import { measureReencryption } from './reencrypt.ts';
import { missed, missedByCredentials, missedByTheSweep } from './targets.ts';

const exitCodes = { met: 0, missed: 1, usage: 2, failed: 3 } as const;

const help = `Usage: npm run bench -- [reencrypt|credentials] [--large] [--json FILE]

Counts the Secrets Manager calls of a rotation of every class beside AWS's templates, weighs and imports every
function's bundle, and measures the calls a second of the local endpoint. Needs no account and no network, and takes
about a minute. Times are printed as ratios to something measured in the same run.

With reencrypt, it measures the built-in sweep instead, on a real PostgreSQL that it starts: beside a loop that
commits each row, batches one after the other, and the writes alone. That takes some minutes.

With credentials, it rotates a database credential of each strategy and counts logins and calls beside AWS's templates,
on a real PostgreSQL that it starts. That takes half a minute.

Flags:
  --large      with reencrypt: compare the memory of a sweep over ten times as many rows; some minutes more
  --json FILE  write the numbers to this file as well
  --help       print this and exit

Exit codes:
  ${exitCodes.met}  every target was met
  ${exitCodes.missed}  a target was missed: too many calls, too large a bundle, too slow a sweep
  ${exitCodes.usage}  a flag was refused; nothing has run
  ${exitCodes.failed}  the bench itself could not go on
`;

/** Enough for medians that hold still on a machine that does other things too, in under 90 s. */
const importRuns = 7;
const rateRounds = { rounds: 5, milliseconds: 500 } as const;
const reencryption = { rows: 200_000, rounds: 5, sample: 4_000 } as const;
const manyRows = 2_000_000;

// The functions run on nodejs24.x; what is here only drives the bench, and its age is no news to its reader.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let json: string | undefined;
  let measure: (progress: Progress) => Promise<Measured>;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: 'string' }, large: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    if (values.help === true) {
      process.stdout.write(help);
      return exitCodes.met;
    }
    json = values.json;
    const [what, ...more] = positionals;
    const large = values.large === true;
    const measures: Readonly<Record<string, (progress: Progress) => Promise<Measured>>> = {
      pipeline: measurePipeline,
      reencrypt: (progress) => measureSweep(large ? manyRows : null, progress),
      credentials: measureCredentials,
    };
    const chosen = Object.hasOwn(measures, what ?? 'pipeline') ? measures[what ?? 'pipeline'] : undefined;
    if (chosen === undefined || more.length > 0 || what === 'pipeline') {
      return refused(
        `What is measured must be reencrypt or credentials, or nothing; received "${positionals.join(' ')}".`,
      );
    }
    if (what !== 'reencrypt' && large)
      return refused(
        `--large must come with reencrypt; it came ${what === undefined ? 'alone' : `with ${what}`}.`,
      );
    measure = chosen;
  } catch (caught) {
    return refused(`${reasonOf(caught).replace(/\.?$/, '.')} See --help.`);
  }
  try {
    // Before a minute of work, whose numbers could not be stored.
    if (json !== undefined) appendFileSync(json, '');
  } catch {
    return refused(`--json must be followed by a file that can be written; received "${json}".`);
  }
  try {
    return await bench(measure, json);
  } catch (caught) {
    process.stderr.write(`The bench could not go on: ${reasonOf(caught)}\n`);
    return exitCodes.failed;
  }
}

interface Measured {
  readonly numbers: object;
  readonly tables: readonly string[];
  readonly missed: readonly string[];
}

async function bench(
  measure: (progress: Progress) => Promise<Measured>,
  json: string | undefined,
): Promise<number> {
  const began = performance.now();
  const progress = startProgress(process.stderr);
  const { numbers, tables, missed: sentences } = await measure(progress);
  progress.stop();
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  if (json !== undefined) {
    const all = { seconds, node: process.version, ...numbers, missed: sentences };
    writeFileSync(json, `${JSON.stringify(all, null, 2)}\n`);
  }
  process.stdout.write(`\n${tables.join('\n\n')}\n\n`);
  for (const sentence of sentences) process.stdout.write(`${sentence}\n`);
  process.stdout.write(
    `${sentences.length === 0 ? 'Every target was met' : 'A target was missed'}; ${seconds} s.\n`,
  );
  return sentences.length === 0 ? exitCodes.met : exitCodes.missed;
}

async function measurePipeline({ note }: Progress): Promise<Measured> {
  const calls = await countCalls(note);
  const bundles = await weighBundles(importRuns, note);
  const rates = await measureRates(rateRounds, note);
  return {
    numbers: { calls, bundles, rates },
    tables: [printCalls(calls), printBundles(bundles), printRates(rates)],
    missed: missed(calls, bundles.rows),
  };
}

async function measureCredentials({ note }: Progress): Promise<Measured> {
  const credentials = await countCredentials(note);
  return {
    numbers: { credentials },
    tables: [printCredentials(credentials)],
    missed: missedByCredentials(credentials),
  };
}

async function measureSweep(many: number | null, { note }: Progress): Promise<Measured> {
  const measured = await measureReencryption({ ...reencryption, manyRows: many }, note);
  return {
    numbers: { reencryption: measured },
    tables: [printReencryption(measured)],
    missed: missedByTheSweep(measured),
  };
}

function refused(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return exitCodes.usage;
}

function reasonOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}
