import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';

/**
 * Lets synth fail on every finding of cdk-nag's AWS solutions pack. CDK's own pass, CloudFormation Validate,
 * runs beside it, and fails synth because cdk.json sets `@aws-cdk/core:validateAgainstDefaultRules`.
 */
export function addChecks(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app, { verbose: true }));
}
