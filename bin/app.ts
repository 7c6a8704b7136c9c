/**
 * The CDK app: one stack per deployment file.
 *
 *     npx cdk synth -c deployment=path/to/one.json,path/to/another.json
 */
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { KeyturnError } from '../lambdas/contract/errors.ts';
import { deploymentFiles, readDeployments } from '../lib/deployment/read.ts';
import { KeyturnStack } from '../lib/keyturn-stack.ts';

try {
  const app = new App();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app, { verbose: true }));
  for (const deployment of readDeployments(deploymentFiles(app.node.tryGetContext('deployment')))) {
    new KeyturnStack(app, { deployment });
  }
  app.synth();
} catch (caught) {
  if (!(caught instanceof KeyturnError)) throw caught;
  console.error(caught.hint === null ? caught.message : `${caught.message} ${caught.hint}`);
  process.exitCode = 2;
}
