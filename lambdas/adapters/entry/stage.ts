/** Entry of a stage function: wires the AWS SDK to one stage of a rollout. */
import { ECSClient } from '@aws-sdk/client-ecs';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { publicError } from '../../contract/errors.ts';
import type { RolloutState } from '../../contract/rollout-state.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import type { StageDefinition } from '../../contract/stage.ts';
import { ecsApi } from '../aws/ecs.ts';
import { eventBridge } from '../aws/events.ts';
import { secretsManager } from '../aws/secrets.ts';
import { http } from '../http.ts';
import { clock, log } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';

export function stageFunction(stage: StageDefinition) {
  const environment = parseEnvironment(process.env);
  const settings = readSettings();
  const ports = {
    secrets: secretsManager(new SecretsManagerClient({})),
    events: eventBridge(new EventBridgeClient({}), environment.KEYTURN_BUS),
    ecs: ecsApi(new ECSClient({})),
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
