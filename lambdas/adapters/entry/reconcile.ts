/** Entry of the reconciler: a sweep whenever its schedule says so, and a count of rejected values in between. */
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { publicError } from '../../contract/errors.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import type { ReconcilePorts } from '../../reconcile/context.ts';
import { reconcile } from '../../reconcile/reconcile.ts';
import { eventBridge } from '../aws/events.ts';
import { stepFunctionsExecutions } from '../aws/executions.ts';
import { secretsFleet } from '../aws/fleet.ts';
import { stepFunctions } from '../aws/rollouts.ts';
import { metrics } from '../metrics.ts';
import { clock, log } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';
import { machinesOf } from './state-machines.ts';

const settings = readSettings();
const environment = parseEnvironment(process.env);
const stateMachines = machinesOf(environment.KEYTURN_STATE_MACHINES);
const states = new SFNClient({});
const ports: ReconcilePorts = {
  fleet: secretsFleet(new SecretsManagerClient({})),
  executions: stepFunctionsExecutions(states),
  rollouts: stepFunctions(states),
  events: eventBridge(new EventBridgeClient({}), environment.KEYTURN_BUS),
  clock,
  log,
  metrics,
};

export async function handler(event: unknown, context: LambdaContext): Promise<void> {
  try {
    await reconcile(event, {
      settings,
      self: context.invokedFunctionArn,
      stateMachines,
      ports,
      remaining: () => context.getRemainingTimeInMillis(),
    });
  } catch (caught) {
    const error = publicError(caught);
    log({ message: error.message, code: error.code });
    throw error;
  }
}
