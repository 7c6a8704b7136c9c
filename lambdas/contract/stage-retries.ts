/** When a stage is tried again, for what stages have in common. */
import type { StageRetry } from './stage-description.ts';

/**
 * A fault of the platform under a function, not of the stage: the Lambda service could not run it.
 * (Step Functions developer guide, "Handle transient Lambda service exceptions".)
 */
export const lambdaFaults: StageRetry = {
  errors: [
    'Lambda.ClientExecutionTimeoutException',
    'Lambda.Unknown',
    'Lambda.ServiceException',
    'Lambda.AWSLambdaException',
    'Lambda.SdkClientException',
    'Lambda.TooManyRequestsException',
    'Sandbox.Timedout',
    'Runtime.ExitError',
    // Rights that were granted a moment ago may take a minute to be known everywhere.
    'AwsDenied',
    'AwsThrottled',
    'AwsUnreachable',
  ],
  intervalSeconds: 2,
  maxAttempts: 5,
  backoffRate: 2,
  maxDelaySeconds: 60,
};

/**
 * A function in a VPC that nothing called for two weeks has lost its connection to it: the call that finds that
 * fails, and the next succeeds some minutes later (Lambda developer guide, "Lambda Hyperplane ENIs"; Invoke, "Errors").
 */
export const asleep: StageRetry = {
  errors: [
    'Lambda.ResourceNotReadyException',
    // While it is pending.
    'Lambda.ResourceConflictException',
    'Lambda.EC2ThrottledException',
  ],
  intervalSeconds: 15,
  maxAttempts: 8,
  backoffRate: 1.5,
  maxDelaySeconds: 120,
};

/** A stage that writes lets a rotation that is under way end first: minutes at most, unless it is stuck. */
export const otherRotation: StageRetry = {
  errors: ['NotSettled'],
  intervalSeconds: 15,
  maxAttempts: 8,
  backoffRate: 2,
  maxDelaySeconds: 900,
};

/** Consumers that do not stop, or data that cannot be reached, for a while. */
export const later: StageRetry = {
  errors: [
    'ConsumersNotHealthy',
    'HookUnreachable',
    'ReencryptionFailed',
    'TargetUnreachable',
    'TargetNotReady',
    'TargetFull',
    'NotSettled',
  ],
  intervalSeconds: 20,
  maxAttempts: 6,
  backoffRate: 2,
  maxDelaySeconds: 300,
};
