/** Entry of a stage function: wires the AWS SDK to one stage of a rollout. */
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { publicError } from '../../contract/errors.ts';
import type { ConsumerPorts } from '../../contract/hooks.ts';
import type { RolloutState } from '../../contract/rollout-state.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import type { StageDefinition } from '../../contract/stage.ts';
import { eventBridge } from '../aws/events.ts';
import { secretsManager } from '../aws/secrets.ts';
import { http } from '../http.ts';
import { clock, log } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';

/**
 * @param consumers the APIs by which consumers are restarted; given only to a stage that restarts them, so
 *   that no other function carries their clients.
 */
export function stageFunction(stage: StageDefinition, consumers: ConsumerPorts | null = null) {
  const environment = parseEnvironment(process.env);
  const settings = readSettings();
  const ports = {
    secrets: secretsManager(new SecretsManagerClient({})),
    events: eventBridge(new EventBridgeClient({}), environment.KEYTURN_BUS),
    consumers,
    http,
    clock,
    log,
  };
  return async (input: unknown, context: LambdaContext): Promise<RolloutState> => {
    try {
      return await stage.run(input, {
        settings,
        self: context.invokedFunctionArn,
        ports,
        remaining: () => context.getRemainingTimeInMillis(),
      });
    } catch (caught) {
      const error = publicError(caught);
      log({ message: error.message, code: error.code, stage: stage.id });
      throw error;
    }
  };
}
