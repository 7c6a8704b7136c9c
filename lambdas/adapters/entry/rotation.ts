/**
 * Entry of a rotation function: wires the AWS SDK to the four steps. One client lives as long as its
 * container, so that a rotation uses one connection.
 */
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { publicError } from '../../contract/errors.ts';
import { isPreflight, type PreflightReport } from '../../contract/preflight.ts';
import type { ClassDefinition } from '../../contract/secret-class.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import { type ConnectedTarget, targetOf } from '../../contract/target.ts';
import type { RotationPorts } from '../../rotation/context.ts';
import { preflight } from '../../rotation/preflight.ts';
import { rotationFunction as stepsOf } from '../../rotation/steps.ts';
import { inTime } from '../aws/connections.ts';
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
  const client = new SecretsManagerClient(inTime);
  const settings = readSettings();
  const ports: RotationPorts = {
    secrets: secretsManager(client),
    events: eventBridge(new EventBridgeClient(inTime), environment.KEYTURN_BUS),
    clock,
    random,
    metrics,
    log,
    target: targetOf(targets.map((connected) => connected())),
    credential: credentials(client),
  };
  const steps = stepsOf(secretClass, settings, ports);
  return async (event: unknown, context: LambdaContext): Promise<PreflightReport | undefined> => {
    if (isPreflight(event)) {
      return preflight(event, context.invokedFunctionArn, secretClass, settings, ports).catch(
        (caught: unknown) => Promise.reject(publicError(caught)),
      );
    }
    await steps.run(event, context.invokedFunctionArn);
    return undefined;
  };
}
