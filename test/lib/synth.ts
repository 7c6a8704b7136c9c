/** Synthesises deployments in this process, with the context of cdk.json. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { parseDeployment } from '../../lambdas/contract/deployment.ts';
import { type ResolvedDeployment, resolveDeployment } from '../../lib/deployment/resolve.ts';
import { KeyturnStack } from '../../lib/keyturn-stack.ts';
import { object, Synthesised } from './template.ts';

// Starting the validation engine takes seconds; app.test.ts has it on, where findings are asserted.
process.env.CDK_VALIDATION = 'false';

export const context = object(
  object(JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))).context,
);

export function resolved(deployment: unknown): ResolvedDeployment {
  return resolveDeployment(parseDeployment(JSON.stringify(deployment), 'test.json'));
}

export function example(name: string): ResolvedDeployment {
  const file = new URL(`../../lib/examples/${name}.json`, import.meta.url);
  return resolved(JSON.parse(readFileSync(file, 'utf8')));
}

export function newApp(): App {
  return new App({ context, outdir: mkdtempSync(join(tmpdir(), 'keyturn-test-')) });
}

/** The template of each deployment. */
export function templatesOf(...deployments: readonly ResolvedDeployment[]): Synthesised[] {
  const app = newApp();
  const stacks = deployments.map((deployment) => new KeyturnStack(app, { deployment }));
  const assembly = app.synth();
  return stacks.map((stack) => new Synthesised(assembly.getStackByName(stack.stackName).template));
}
