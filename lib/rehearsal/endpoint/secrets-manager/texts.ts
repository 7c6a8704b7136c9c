/**
 * The errors of Secrets Manager, word for word. Tools match on these texts, so none may be reworded.
 *
 * Where nothing else is said, code and text were recorded against AWS by the authors of LocalStack's snapshot
 * tests (tests/aws/services/secretsmanager) or of moto's `aws_verified` tests. All are HTTP 400, the
 * not-found and access-denied ones too.
 */
import { AwsError } from '../wire.ts';

export const secretNotFound = () =>
  new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");

export const labelNotFound = (label: string) =>
  new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for staging label: ${label}`,
  );

export const versionNotFound = (versionId: string) =>
  new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for VersionId: ${versionId}`,
  );

export const labelNotOnVersion = () =>
  new AwsError(
    'InvalidRequestException',
    'You provided a VersionStage that is not associated to the provided VersionId.',
  );

export const nameTaken = (name: string) =>
  new AwsError('ResourceExistsException', `The operation failed because the secret ${name} already exists.`);

export const nameScheduledForDeletion = () =>
  new AwsError(
    'InvalidRequestException',
    "You can't create this secret because a secret with this name is already scheduled for deletion.",
  );

export const tokenInUse = (token: string, arn: string) =>
  new AwsError(
    'ResourceExistsException',
    `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${arn}.`,
  );

/** The code differs between operations: InvalidParameterException for RotateSecret, else InvalidRequestException. */
export const tokenMissing = (code: 'InvalidRequestException' | 'InvalidParameterException') =>
  new AwsError(code, 'You must provide a ClientRequestToken value. We recommend a UUID-type value.');

export const invalidName = () =>
  new AwsError(
    'ValidationException',
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  );

export const noFunctionKnown = () =>
  new AwsError('InvalidRequestException', 'No Lambda rotation function ARN is associated with this secret.');

export const functionNotInvocable = () =>
  new AwsError(
    'AccessDeniedException',
    'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
  );

/** Validated for TagResource and UntagResource; reported by Terraform's provider for the other operations. */
export const markedForDeletion = () =>
  new AwsError(
    'InvalidRequestException',
    "You can't perform this operation on the secret because it was marked for deletion.",
  );

export const removeFromMissing = (label: string, holder: string) =>
  new AwsError(
    'InvalidParameterException',
    `The parameter RemoveFromVersionId can't be empty. Staging label ${label} is currently attached to version ${holder}, so you must explicitly reference that version in RemoveFromVersionId.`,
  );

/** Only an emulator (floci) carries this text; that the call fails is documented (UpdateSecretVersionStage). */
export const removeFromWrong = (label: string) =>
  new AwsError(
    'InvalidParameterException',
    `When you move staging label ${label}, if you specify RemoveFromVersionId, it must be set to the version that currently has the staging label ${label}.`,
  );

/** Observed on AWS: source comments of hashicorp/terraform-provider-aws, secret_version resource. */
export const currentNotRemovable = () =>
  new AwsError(
    'InvalidParameterException',
    "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
  );

/** Observed on AWS: hashicorp/terraform-provider-aws#35023, aws/aws-cdk#28539; quoted by the AWS PCS guide. */
export const previousRotationPending = () =>
  new AwsError(
    'InvalidRequestException',
    "A previous rotation isn't complete. That rotation will be reattempted.",
  );

/** Observed on AWS: hashicorp/terraform-provider-aws#33329. */
export const bothRuleKinds = () =>
  new AwsError(
    'InvalidParameterException',
    'You cannot specify both rotation frequency and schedule expression together.',
  );

export const foreignAccountOnDefaultKey = () =>
  new AwsError(
    'InvalidRequestException',
    "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
  );

/** AWS documents the code (user guide, quotas); nobody has published the text. */
export const limitExceeded = (message: string) => new AwsError('LimitExceededException', message);

/** An errorMessage of RotationFailed (user guide, troubleshooting rotation). */
export const notCreatedByFunction = (versionId: string, secretArn: string, functionArn: string) =>
  `Pending secret version ${versionId} for Secret ${secretArn} was not created by Lambda ${functionArn}. Remove the AWSPENDING staging label and restart rotation`;

/** An errorMessage of RotationFailed (a captured CloudTrail event; user guide, troubleshooting rotation). */
export const stepFailed = (functionArn: string, step: string) =>
  `Error when executing lambda ${functionArn} during ${step} step`;
