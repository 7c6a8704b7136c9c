/**
 * What a function weighs: the size of its bundle, what dominates it, and what importing it costs in a fresh node
 * process, against a process that imports nothing and against the same handler with the SDK left in node_modules.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { type Settings, settingsFile } from '../../lambdas/contract/settings.ts';
import { assetDirectory, bundleOf, type Entry, entries, sourceOf } from '../../lib/bundle.ts';
import { median } from './median.ts';

export interface BundleRow {
  /** `rotation-opaque-token`, `stage-prove`, `start`. */
  readonly name: string;
  /** Minified. */
  readonly kilobytes: number;
  readonly gzipKilobytes: number;
  /** True: it speaks to databases itself, and has a driver in it. */
  readonly driver: boolean;
  /** The packages that bring in most of it, and their shares of its bytes (0–1). */
  readonly heaviest: readonly { readonly package: string; readonly share: number }[];
  readonly start: Start;
  /** The same handler with @aws-sdk and @smithy from node_modules; null: not built. */
  readonly startUnbundled: Start | null;
}

/** From the start of a process until its module is imported; medians. */
export interface Start {
  readonly milliseconds: number;
  /** User and system time: less moved by a busy machine than the clock on the wall. */
  readonly cpuMilliseconds: number;
}

export interface Bundles {
  readonly bare: Start;
  /** Fresh processes per function. */
  readonly runs: number;
  readonly rows: readonly BundleRow[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const settings: Settings = { schema: 1, deployment: 'bench', platform: 'ocore', secrets: [] };

/** Entries that are also built with the SDK left out: one of each kind. */
const unbundled = (
  [
    { kind: 'rotation', classId: 'opaque-token' },
    { kind: 'stage', stageId: 'redeploy', consumerKinds: ['ecs'] },
    { kind: 'start' },
  ] satisfies Entry[]
).map((entry) => ({ name: bundleOf(entry).name, source: sourceOf(entry) }));

/** What the child runs: the import, then what it has cost since the process began. */
const script = `
  await import(process.argv[1]);
  const milliseconds = performance.now();
  const { user, system } = process.cpuUsage();
  process.stdout.write(JSON.stringify({ milliseconds, cpuMilliseconds: (user + system) / 1000 }));`;

/** @param runs fresh processes per function; 1 or more */
export async function weighBundles(runs: number, note: (line: string) => void): Promise<Bundles> {
  note('Bundling every function.');
  const scratch = mkdtempSync(join(tmpdir(), 'keyturn-bench-bundles-'));
  try {
    const empty = join(scratch, 'empty.mjs');
    writeFileSync(empty, '');
    const bundles = entries.map((entry: Entry) => {
      const bundle = bundleOf(entry);
      return { ...bundle, file: join(assetDirectory(entry, settings), 'index.mjs') };
    });
    const others = buildUnbundled(scratch);
    const starts = await interleaved(
      [empty, ...bundles.map(({ file }) => file), ...others.values()],
      runs,
      note,
    );
    const startOf = (file: string | undefined) => (file === undefined ? null : (starts.get(file) ?? null));
    const none: Start = { milliseconds: Number.NaN, cpuMilliseconds: Number.NaN };
    return {
      bare: startOf(empty) ?? none,
      runs,
      rows: bundles.map(({ name, bytes, text, inputs, file }) => ({
        name,
        kilobytes: bytes / 1024,
        gzipKilobytes: gzipSync(text, { level: 9 }).byteLength / 1024,
        driver: Object.keys(inputs).some((file) => /node_modules\/(pg|mysql2|ioredis)\//.test(file)),
        heaviest: heaviestOf(inputs),
        start: startOf(file) ?? none,
        startUnbundled: startOf(others.get(name)),
      })),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Bytes per package, as esbuild tells for each source file that it took in. */
export function heaviestOf(
  inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>,
): BundleRow['heaviest'] {
  const bytes = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const name = packageOf(path);
    bytes.set(name, (bytes.get(name) ?? 0) + bytesInOutput);
  }
  const total = [...bytes.values()].reduce((sum, one) => sum + one, 0);
  return [...bytes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([name, size]) => ({ package: name, share: size / total }));
}

/** The innermost package of a path: a package may bring another in its own node_modules. */
function packageOf(path: string): string {
  const inner = path.split('node_modules/').at(-1) ?? path;
  if (inner === path) return 'keyturn';
  return inner.split('/', inner.startsWith('@') ? 2 : 1).join('/');
}

/** @returns the module of each name, beside a node_modules that node finds. */
function buildUnbundled(scratch: string): ReadonlyMap<string, string> {
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
  writeFileSync(join(scratch, settingsFile), JSON.stringify(settings));
  return new Map(
    unbundled.map(({ name, source }) => {
      const outfile = join(scratch, `${name}.mjs`);
      buildSync({
        stdin: { contents: source, resolveDir: root, loader: 'ts' },
        outfile,
        bundle: true,
        minify: true,
        format: 'esm',
        platform: 'node',
        target: 'node24',
        external: ['@aws-sdk/*', '@smithy/*'],
        logLevel: 'silent',
      });
      return [name, outfile];
    }),
  );
}

/** One process after the other, every module once a round: what else the machine does hits all alike. */
async function interleaved(
  files: readonly string[],
  runs: number,
  note: (line: string) => void,
): Promise<ReadonlyMap<string, Start>> {
  const measured = new Map<string, Start[]>(files.map((file) => [file, []]));
  for (let round = 1; round <= runs; round += 1) {
    note(`Importing every function in a fresh process, round ${round} of ${runs}.`);
    for (const [file, starts] of measured) starts.push(await startOnce(file));
  }
  return new Map(
    [...measured].map(([file, starts]) => [
      file,
      {
        milliseconds: median(starts.map(({ milliseconds }) => milliseconds)),
        cpuMilliseconds: median(starts.map(({ cpuMilliseconds }) => cpuMilliseconds)),
      },
    ]),
  );
}

function startOnce(file: string): Promise<Start> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        AWS_REGION: 'eu-central-1',
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
        LAMBDA_TASK_ROOT: join(file, '..'),
        KEYTURN_BUS: 'keyturn-bench-events',
        KEYTURN_STATE_MACHINES: '{}',
      },
    });
    const printed = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      printed.stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      printed.stderr += String(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`${file} cannot be imported: ${printed.stderr}`));
      resolve(JSON.parse(printed.stdout) as Start);
    });
  });
}
