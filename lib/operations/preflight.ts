import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { OperatorFunctions, OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { PreflightReport } from '../../lambdas/contract/preflight.ts';
import { nameOf } from '../names.ts';
import { refusal } from './refusal.ts';
import type { Subject } from './subject.ts';

export interface Preflight extends PreflightReport {
  /** The function that looked. */
  readonly functionName: string;
}

/** By the name of the error with which a function refused to look. */
const hints: ReadonlyMap<string, string> = new Map([
  ['EventInvalid', 'It may be older than this command: deploy the stack again.'],
  [
    'StepRefused',
    'It does not know this secret as one of its own: deploy the stack with this deployment file.',
  ],
]);

/**
 * Lets the rotation function of a secret go the way to its server, from the network that it is in. Changes nothing.
 *
 * @throws KeyturnError of AWS; OperationRefused for a secret that another service rotates, and when the function
 *   fails before it has a report.
 */
export async function preflight(
  { deployment, secret }: Subject,
  { secrets }: OperatorPorts,
  functions: OperatorFunctions,
): Promise<Preflight> {
  if (secret.class.admission === 'elsewhere') {
    throw refusal(
      `${secret.key} is rotated by the service that manages it: no function of this deployment goes to its server.`,
      `See: keyturn status ${secret.key}.`,
    );
  }
  const { arn } = await secrets.describe(secret.settings.id);
  const functionName = nameOf(deployment, secret.class.id);
  const [, partition, , region, account] = arn.split(':');
  const functionArn = `arn:${partition}:lambda:${region}:${account}:function:${functionName}`;
  const answer = await functions.invoke(functionArn, { keyturn: 'preflight', SecretId: arn });
  if (!answer.ok) {
    throw refusal(
      `The function ${functionName} failed with ${answer.error}.`,
      hints.get(answer.error) ?? `Its log group tells more: /aws/lambda/${functionName}.`,
    );
  }
  const report = PreflightReport.safeParse(answer.payload);
  if (report.success) return { functionName, ...report.data };
  throw new KeyturnError({
    code: 'OperationRefused',
    message: `The function ${functionName} gave no report as this command knows it.`,
    hint: 'Deploy the stack again with this version, or use the command of the version that is deployed.',
  });
}
