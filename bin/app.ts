/**
 * The CDK app: one stack per deployment file.
 *
 *     npx cdk synth -c deployment=path/to/one.json,path/to/another.json
 */
import { App } from 'aws-cdk-lib';
import { KeyturnError } from '../lambdas/contract/errors.ts';
import { addChecks } from '../lib/checks.ts';
import { deploymentFiles, readDeployments } from '../lib/deployment/read.ts';
import { KeyturnStack } from '../lib/keyturn-stack.ts';

try {
  // Synthesised below, or not at all: a refused deployment leaves nothing that could be deployed.
  const app = new App({ autoSynth: false });
  addChecks(app);
  for (const deployment of readDeployments(deploymentFiles(app.node.tryGetContext('deployment')))) {
    new KeyturnStack(app, { deployment });
  }
  app.synth();
} catch (caught) {
  if (!(caught instanceof KeyturnError)) throw caught;
  console.error(caught.hint === null ? caught.message : `${caught.message} ${caught.hint}`);
  process.exitCode = 2;
}
