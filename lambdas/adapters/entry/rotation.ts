/**
 * Entry of a rotation function: wires the AWS SDK to the four steps. One client lives as long as its
 * container, so that a rotation uses one connection.
 */
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ClassDefinition } from '../../contract/secret-class.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import { type ConnectedTarget, targetOf } from '../../contract/target.ts';
import { rotationFunction as stepsOf } from '../../rotation/steps.ts';
import { credentials } from '../aws/credentials.ts';
import { eventBridge } from '../aws/events.ts';
import { secretsManager } from '../aws/secrets.ts';
import { metrics } from '../metrics.ts';
import { clock, log, random } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';

/** @param targets for a class that uses one: the kinds of server in use. */
export function rotationFunction(
  secretClass: ClassDefinition,
  targets: readonly (() => ConnectedTarget)[] = [],
) {
  const environment = parseEnvironment(process.env);
  const client = new SecretsManagerClient({});
  const steps = stepsOf(secretClass, readSettings(), {
    secrets: secretsManager(client),
    events: eventBridge(new EventBridgeClient({}), environment.KEYTURN_BUS),
    clock,
    random,
    metrics,
    log,
    target: targetOf(targets.map((connected) => connected())),
    credential: credentials(client),
  });
  return async (event: unknown, context: LambdaContext): Promise<void> => {
    await steps.run(event, context.invokedFunctionArn);
  };
}
