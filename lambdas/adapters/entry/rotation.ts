/**
 * Entry of a rotation function: wires the AWS SDK to the four steps. One client lives as long as its
 * container, so that a rotation uses one connection.
 */
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ClassDefinition } from '../../contract/secret-class.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import type { Target } from '../../contract/target.ts';
import { rotationFunction as stepsOf } from '../../rotation/steps.ts';
import { eventBridge } from '../aws/events.ts';
import { secretsManager } from '../aws/secrets.ts';
import { metrics } from '../metrics.ts';
import { clock, log, random } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';

/** @param target for a class that uses one. */
export function rotationFunction(secretClass: ClassDefinition, target?: Target) {
  const environment = parseEnvironment(process.env);
  const steps = stepsOf(secretClass, readSettings(), {
    secrets: secretsManager(new SecretsManagerClient({})),
    events: eventBridge(new EventBridgeClient({}), environment.KEYTURN_BUS),
    clock,
    random,
    metrics,
    log,
    ...(target === undefined ? {} : { target }),
  });
  return async (event: unknown, context: LambdaContext): Promise<void> => {
    await steps.run(event, context.invokedFunctionArn);
  };
}
