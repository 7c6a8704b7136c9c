/**
 * The code of a function: one file, bundled by esbuild, and its settings beside it.
 *
 * NodejsFunction would start one esbuild per function (about half a second each) and cannot put a second
 * file beside the code, so esbuild is called here.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type Metafile } from 'esbuild';
import { type Settings, settingsFile } from '../lambdas/contract/settings.ts';

/** What a function is made of: its entry is three lines, so that no file per class or stage has to exist. */
export type Entry =
  /** The four steps of one class. */
  | { readonly kind: 'rotation'; readonly classId: string }
  /** One stage of a rollout. `redeploys`: with the clients that restart consumers. */
  | { readonly kind: 'stage'; readonly stageId: string; readonly redeploys: boolean }
  /** Starts a rollout when a rotation has finished. */
  | { readonly kind: 'start' };

export interface Bundle {
  /** The minified module. */
  readonly text: string;
  /** Its size in bytes. */
  readonly bytes: number;
  /** What esbuild tells of its inputs: what the bench prints. */
  readonly metafile: Metafile;
}

const packageRoot = fileURLToPath(new URL('../', import.meta.url));
const codeFile = 'index.mjs';
const bundles = new Map<string, Bundle>();

/** Bundles an entry, once per process. */
export function bundleOf(entry: Entry): Bundle {
  const source = sourceOf(entry);
  const known = bundles.get(source);
  if (known !== undefined) return known;
  const bundle = build(source);
  bundles.set(source, bundle);
  return bundle;
}

/**
 * A directory with a function's code and settings, for `lambda.Code.fromAsset`. It is named after its
 * content, and goes away with the process: CDK copies it when the function is constructed.
 */
export function assetDirectory(entry: Entry, settings: Settings): string {
  const { text } = bundleOf(entry);
  const json = `${JSON.stringify(settings, null, 2)}\n`;
  const hash = createHash('sha256').update(text).update('\0').update(json).digest('hex');
  const directory = join(scratch(), hash);
  const fresh = mkdtempSync(join(scratch(), 'fresh-'));
  writeFileSync(join(fresh, codeFile), text);
  writeFileSync(join(fresh, settingsFile), json);
  rmSync(directory, { recursive: true, force: true });
  renameSync(fresh, directory);
  return directory;
}

function sourceOf(entry: Entry): string {
  switch (entry.kind) {
    case 'rotation':
      return [
        `import { secretClass } from './lambdas/classes/${entry.classId}.ts';`,
        `import { rotationFunction } from './lambdas/adapters/entry/rotation.ts';`,
        'export const handler = rotationFunction(secretClass);',
      ].join('\n');
    case 'stage':
      return [
        `import { stage } from './lambdas/rollout/${entry.stageId}.ts';`,
        `import { stageFunction } from './lambdas/adapters/entry/stage.ts';`,
        ...(entry.redeploys
          ? [
              `import { consumers } from './lambdas/adapters/entry/consumers.ts';`,
              'export const handler = stageFunction(stage, consumers);',
            ]
          : ['export const handler = stageFunction(stage);']),
      ].join('\n');
    case 'start':
      return `export { handler } from './lambdas/adapters/entry/start.ts';`;
  }
}

function build(source: string): Bundle {
  const { outputFiles, metafile } = buildSync({
    stdin: { contents: source, resolveDir: packageRoot, sourcefile: 'entry.ts', loader: 'ts' },
    absWorkingDir: packageRoot,
    outfile: codeFile,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The modules of the SDK instead of its CommonJS: smaller by a third, and faster to import.
    mainFields: ['module', 'main'],
    metafile: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`esbuild made no output for ${source}`);
  return { text: file.text, bytes: file.contents.byteLength, metafile };
}

let scratchDirectory: string | undefined;

/** One private directory per process (mkdtemp: mode 0700, a name that nobody can take before us). */
function scratch(): string {
  if (scratchDirectory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'keyturn-functions-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    scratchDirectory = made;
  }
  mkdirSync(scratchDirectory, { recursive: true });
  return scratchDirectory;
}
