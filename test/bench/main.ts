/** `npm run bench`: what the pipeline costs, side by side with what it is measured against; exit 1 past a target. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startProgress } from '../../lib/rehearsal/progress.ts';
import { weighBundles } from './bundles.ts';
import { countCalls } from './calls.ts';
import { printBundles, printCalls, printRates } from './print.ts';
import { measureRates } from './rates.ts';
import { missed } from './targets.ts';

const exitCodes = { met: 0, missed: 1, usage: 2, failed: 3 } as const;

const help = `Usage: npm run bench -- [--json FILE]

Counts the Secrets Manager calls of a rotation of every class beside AWS's templates, weighs and imports every
function's bundle, and measures the calls a second of the local endpoint. Needs no account and no network, and takes
about a minute. Times are printed as ratios to something measured in the same run.

Flags:
  --json FILE  write the numbers to this file as well
  --help       print this and exit

Exit codes:
  ${exitCodes.met}  every target was met
  ${exitCodes.missed}  a target was missed: too many calls, too large a bundle
  ${exitCodes.usage}  a flag was refused; nothing has run
  ${exitCodes.failed}  the bench itself could not go on
`;

/** Enough for medians that hold still on a machine that does other things too, in under 90 s. */
const importRuns = 7;
const rateRounds = { rounds: 5, milliseconds: 500 } as const;

// The functions run on nodejs24.x; what is here only drives the bench, and its age is no news to its reader.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let json: string | undefined;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { json: { type: 'string' }, help: { type: 'boolean' } },
    });
    if (values.help === true) {
      process.stdout.write(help);
      return exitCodes.met;
    }
    json = values.json;
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
    return await bench(json);
  } catch (caught) {
    process.stderr.write(`The bench could not go on: ${reasonOf(caught)}\n`);
    return exitCodes.failed;
  }
}

async function bench(json: string | undefined): Promise<number> {
  const began = performance.now();
  const progress = startProgress(process.stderr);
  const calls = await countCalls(progress.note);
  const bundles = await weighBundles(importRuns, progress.note);
  const rates = await measureRates(rateRounds, progress.note);
  progress.stop();
  const sentences = missed(calls, bundles.rows);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  if (json !== undefined) {
    const numbers = { seconds, node: process.version, calls, bundles, rates, missed: sentences };
    writeFileSync(json, `${JSON.stringify(numbers, null, 2)}\n`);
  }
  const tables = [printCalls(calls), printBundles(bundles), printRates(rates)];
  process.stdout.write(`\n${tables.join('\n\n')}\n\n`);
  for (const sentence of sentences) process.stdout.write(`${sentence}\n`);
  process.stdout.write(
    `${sentences.length === 0 ? 'Every target was met' : 'A target was missed'}; ${seconds} s.\n`,
  );
  return sentences.length === 0 ? exitCodes.met : exitCodes.missed;
}

function refused(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return exitCodes.usage;
}

function reasonOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}
