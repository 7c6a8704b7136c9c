import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { executionName } from '../../lambdas/rollout/start.ts';
import type { ResolvedDeployment, ResolvedSecret } from '../deployment/resolve.ts';
import { nameOf } from '../names.ts';

/** What a command is about: one secret of a deployment file. */
export interface Subject {
  /** Name of the deployment. */
  readonly deployment: string;
  readonly secret: ResolvedSecret;
}

/**
 * @param named the secret's key in the deployment file, or its name or ARN in Secrets Manager.
 * @throws KeyturnError UsageInvalid that lists the keys. It does not repeat what was given: somebody may have
 *   pasted a value in the place of a name.
 */
export function subjectOf(deployment: ResolvedDeployment, named: string): Subject {
  const secret = deployment.secrets.find(({ key, settings }) => key === named || settings.id === named);
  if (secret !== undefined) return { deployment: deployment.name, secret };
  throw new KeyturnError({
    code: 'UsageInvalid',
    message: `SECRET must be a secret of the deployment ${deployment.name}: ${deployment.secrets.map(({ key }) => key).join(', ')}.`,
  });
}

/** The state machine of a secret's plan, in the account and Region of the secret. */
export function machineArn({ deployment, secret }: Subject, secretArn: string): string {
  const [, partition, , region, account] = secretArn.split(':');
  return `arn:${partition}:states:${region}:${account}:stateMachine:${nameOf(deployment, secret.plan)}`;
}

/** The execution that is this attempt of a version's rollout. */
export function executionArn(
  subject: Subject,
  rollout: Pick<RolloutState, 'secretId' | 'versionId' | 'attempt'>,
): string {
  const machine = machineArn(subject, rollout.secretId).replace(':stateMachine:', ':execution:');
  return `${machine}:${executionName(subject.secret.key, rollout)}`;
}
