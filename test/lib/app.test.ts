/** The app as the CDK CLI runs it, and its exit codes. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseSettings } from '../../lambdas/contract/settings.ts';
import { context } from './synth.ts';
import { object, Synthesised } from './template.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'keyturn-app-'));

/** A value that lies in the environment, as on a machine where a platform runs; nothing may pick it up. */
const canary = 'canary-7Qm2xVb9TzKd4LwR8sYf';

interface Run {
  readonly code: number | null;
  readonly output: string;
}

describe('a synth of both examples', () => {
  const assembly = join(scratch, 'cdk.out');
  let run: Run;
  beforeAll(async () => {
    // The CLI also asks for the paths of assets.
    run = await app(
      assembly,
      { ...context, 'aws:cdk:enable-asset-metadata': true },
      {
        EXO_JWT_SECRET: canary,
        JWT_SECRET: canary,
        HEALTH_CHECK_TOKEN: canary,
        EXO_CLAUDE_API_KEY: canary,
      },
    );
  }, 120_000);

  it('succeeds, with no finding of cdk-nag or of CloudFormation Validate', () => {
    expect(run).toEqual({ code: 0, output: '' });
    const report = object(JSON.parse(readFileSync(join(assembly, 'validation-report.json'), 'utf8')));
    expect(report.pluginReports).toEqual([]);
    expect(readdirSync(assembly).filter((file) => file.endsWith('.template.json'))).toEqual([
      'keyturn-exo-production.template.json',
      'keyturn-ocore-production.template.json',
    ]);
  });

  it('writes no value: not of the environment, and no way to set one', () => {
    const files = filesBelow(assembly);
    expect(files.length).toBeGreaterThan(30);
    for (const file of files) expect(readFileSync(file, 'utf8')).not.toContain(canary);
    for (const file of files.filter((name) => name.endsWith('.template.json'))) {
      const template = readFileSync(file, 'utf8');
      expect(template).not.toMatch(/SecretString|GenerateSecretString|\{\{resolve:|NoEcho/);
    }
  });

  it('gives every function its code of at most 400 KB, and the settings of its own secrets only', () => {
    const exo = Synthesised.read(assembly, 'keyturn-exo-production');
    const told = exo.all('AWS::Lambda::Function').map(({ properties, raw }) => {
      const asset = join(assembly, String(object(raw.Metadata)['aws:asset:path']));
      expect(readdirSync(asset)).toEqual(['index.mjs', 'settings.json']);
      expect(statSync(join(asset, 'index.mjs')).size).toBeLessThanOrEqual(400 * 1024);
      const settings = parseSettings(JSON.parse(readFileSync(join(asset, 'settings.json'), 'utf8')));
      return [
        String(properties.FunctionName).replace('keyturn-exo-production-', ''),
        settings.secrets.map(({ key }) => key).join(' '),
      ];
    });
    expect(Object.fromEntries(told)).toEqual({
      'signing-key-cutover': 'EXO_JWT_SECRET',
      'operator-supplied': 'EXO_CLAUDE_API_KEY',
      settle: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      redeploy: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      prove: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      complete: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      'roll-back': 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      'rolled-back': 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      stall: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      start: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
      reconcile: 'EXO_JWT_SECRET EXO_CLAUDE_API_KEY',
    });
  });

  it('writes definitions of state machines with nothing but references in between', () => {
    for (const name of ['exo-production', 'ocore-production']) {
      const template = Synthesised.read(assembly, `keyturn-${name}`);
      const machine = template.one('AWS::StepFunctions::StateMachine', ({ StateMachineName }) =>
        String(StateMachineName).endsWith('redeploy-and-prove'),
      );
      const states = object(object(JSON.parse(String(machine.properties.DefinitionString))).States);
      expect(new Set(Object.keys(states))).toEqual(
        new Set([
          ...['settle', 'wait before redeploy', 'redeploy', 'prove', 'complete', 'done', 'superseded'],
          ...['roll-back', 'wait before redeploy 2', 'redeploy 2', 'rolled-back', 'rolled back'],
          ...['stall', 'stalled'],
        ]),
      );
      expect(object(states.settle).Resource).toBe(`<Function keyturn-${name}-settle>.Arn`);
    }
  });
});

it('a deployment that breaks a rule ends with its sentence alone and exit code 2', async () => {
  const file = join(scratch, 'broken.json');
  writeFileSync(file, '{ "name": "broken", "platform": "exoo", "secrets": {}, "consumers": {} }');
  expect(await app(join(scratch, 'nothing'), { deployment: file })).toEqual({
    code: 2,
    output: `${file}: platform must be one of crewai, exo, kaireon, ocore, tessallite; received "exoo".\n`,
  });
  expect(readdirSync(join(scratch, 'nothing'))).toEqual([]);
});

/** Runs the app with the context and directory in its environment, as the CDK CLI does. */
async function app(
  assembly: string,
  ofContext: object,
  environment: Record<string, string> = {},
): Promise<Run> {
  const child = spawn('node', ['--import', 'tsx', 'bin/app.ts'], {
    cwd: root,
    env: {
      ...process.env,
      CDK_VALIDATION: 'true',
      CDK_CONTEXT_JSON: JSON.stringify(ofContext),
      CDK_OUTDIR: assembly,
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
