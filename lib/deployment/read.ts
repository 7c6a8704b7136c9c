import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Deployment, parseDeployment } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { type ResolvedDeployment, resolveDeployment } from './resolve.ts';

/** The examples of the repository: what is synthesised when no deployment is named. */
const examples = ['exo', 'ocore'].map((name) =>
  fileURLToPath(new URL(`../examples/${name}.json`, import.meta.url)),
);

/**
 * The files that the context value `deployment` names, parted by commas.
 *
 * @param context a string, or undefined for the examples.
 * @throws KeyturnError DeploymentInvalid when it is anything else, or names nothing.
 */
export function deploymentFiles(context: unknown): readonly string[] {
  if (context === undefined) return examples;
  const files = typeof context === 'string' ? context.split(',').map((file) => file.trim()) : [];
  if (files.length > 0 && !files.includes('')) return files;
  throw invalid(
    `The context value deployment must be the path of a deployment file, or several parted by commas; received ${JSON.stringify(context)}.`,
  );
}

/** @throws KeyturnError DeploymentInvalid: the first file that breaks a rule, and the rule. */
export function readDeployments(files: readonly string[]): ResolvedDeployment[] {
  const deployments = files.map((file) => ({ file, deployment: readDeployment(file) }));
  for (const [index, { file, deployment }] of deployments.entries()) {
    const first = deployments.findIndex((other) => other.deployment.name === deployment.name);
    if (first < index) {
      throw invalid(
        `${file}: name must be of one deployment only; ${deployments[first]?.file} has "${deployment.name}" too.`,
      );
    }
  }
  return deployments.map(({ deployment }) => deployment);
}

/** @throws KeyturnError DeploymentInvalid when the file cannot be read, or breaks the schema. */
export function readDeploymentFile(file: string): Deployment {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `The deployment file ${file} cannot be read.`,
      hint: 'The path is relative to the directory in which the command runs.',
      cause,
    });
  }
  return parseDeployment(text, file);
}

function readDeployment(file: string): ResolvedDeployment {
  const deployment = readDeploymentFile(file);
  try {
    return resolveDeployment(deployment);
  } catch (caught) {
    if (!(caught instanceof KeyturnError)) throw caught;
    throw invalid(`${file}: ${caught.message}`);
  }
}

function invalid(message: string): KeyturnError {
  return new KeyturnError({ code: 'DeploymentInvalid', message });
}
