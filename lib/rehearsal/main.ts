/** `npm run rehearse`: flags in, table out, an exit code that means something. */
import { randomInt } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { readDeploymentFile } from '../deployment/read.ts';
import { accountClient } from './endpoint/account-client.ts';
import { exitCodes, type Options, parseOptions } from './options.ts';
import { paintFor } from './paint.ts';
import { startProgress } from './progress.ts';
import { broken, serialised } from './report.ts';
import { select } from './selection.ts';
import { ending } from './table.ts';
import { timeline } from './timeline.ts';

const examples = ['exo', 'ocore'].map((name) =>
  fileURLToPath(new URL(`../examples/${name}.json`, import.meta.url)),
);

/** How much faster than on AWS waits go by: the minutes of a retry become a second. */
const compression = 60;

/** Milliseconds in which an endpoint must say that it is one. */
const answerTime = 5_000;

// The functions run on nodejs24.x; what is here only drives the rehearsal, and its age is no news to its reader.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

// Without a handler a signal ends this process and leaves the consumers that it started.
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const) {
  process.once(signal, () => process.exit(128 + number));
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseOptions(argv);
  if (parsed.kind === 'help') {
    process.stdout.write(parsed.text);
    return exitCodes.passed;
  }
  if (parsed.kind === 'refused') return refused(parsed.message);
  try {
    return await run(parsed.options);
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'DeploymentInvalid') {
      return refused(caught.hint === null ? caught.message : `${caught.message} ${caught.hint}`);
    }
    process.stderr.write(
      `The rehearsal could not go on: ${caught instanceof Error ? caught.message : String(caught)}\n`,
    );
    return exitCodes.failed;
  }
}

async function run(options: Options): Promise<number> {
  const available = (options.deployments.length === 0 ? examples : options.deployments).map((file) => {
    const deployment = readDeploymentFile(file);
    return { deployment, platform: deployment.platform, secrets: Object.keys(deployment.secrets) };
  });
  const selection = select(options, available);
  if (!selection.ok) return refused(selection.message);
  if (options.json !== null && !writable(options.json)) {
    return refused(`--json must be followed by a file that can be written; received "${options.json}".`);
  }
  const seed = options.seed ?? randomInt(2 ** 32);
  const own = options.endpoint === null ? await ownAccount(seed) : null;
  const client = accountClient(own?.url ?? options.endpoint ?? '');
  const progress = startProgress(process.stderr);
  try {
    await reachable(client, options.endpoint);
    // Not before everything has been checked: CDK takes longer to load than a bad flag to be refused.
    const { rehearse } = await import('./rehearsal.ts');
    const report = await rehearse({
      chosen: selection.selected.map(({ deployment, secrets }) => ({ deployment, keys: secrets })),
      seed,
      client,
      progress,
    });
    progress.stop();
    if (options.json !== null) writeFileSync(options.json, serialised(report));
    const paint = paintFor(process.stdout);
    const drawn = report.secrets
      .filter(({ scenario }) => scenario === 'rotate')
      .slice(0, 1)
      .map((row) => timeline(row, paint));
    process.stdout.write(`\n${ending(report, drawn.join('\n'), paint)}`);
    const sentences = broken(report);
    for (const sentence of sentences) process.stdout.write(`${paint('bad', sentence)}\n`);
    return sentences.length === 0 ? exitCodes.passed : exitCodes.broken;
  } finally {
    progress.stop();
    await own?.stop();
  }
}

async function ownAccount(seed: number) {
  const { startAccount } = await import('./endpoint/account.ts');
  return startAccount({ compression, seed: String(seed) });
}

/** Another vendor's emulator does not invoke these functions, nor start these consumers: say so at once. */
async function reachable(client: ReturnType<typeof accountClient>, endpoint: string | null): Promise<void> {
  if (endpoint === null) return;
  // An address may also take the question and never answer, or answer 200 to whatever it is asked.
  const health = await Promise.race([
    client.health().catch(() => null),
    sleep(answerTime, null, { ref: false }),
  ]);
  if (typeof health?.now === 'number') return;
  throw new Error(
    `${endpoint} must be a Keyturn endpoint (node --import tsx lib/rehearsal/endpoint/endpoint-main.ts); it gives no answer to /_keyturn/health.`,
  );
}

/** Asked before minutes of work, whose result could not be stored. Makes the file where there is none. */
function writable(file: string): boolean {
  try {
    appendFileSync(file, '');
    return true;
  } catch {
    return false;
  }
}

function refused(message: string): number {
  process.stderr.write(`${message}\n`);
  return exitCodes.usage;
}
