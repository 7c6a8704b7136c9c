/** Entry of the function that starts rollouts. */
import { SFNClient } from '@aws-sdk/client-sfn';
import { publicError } from '../../contract/errors.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import { startRollout } from '../../rollout/start.ts';
import { stepFunctions } from '../aws/rollouts.ts';
import { log } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';
import { machinesOf } from './state-machines.ts';

const settings = readSettings();
const stateMachines = machinesOf(parseEnvironment(process.env).KEYTURN_STATE_MACHINES);
const rollouts = stepFunctions(new SFNClient({}));

export async function handler(event: unknown, context: LambdaContext): Promise<void> {
  try {
    await startRollout(event, { settings, self: context.invokedFunctionArn, stateMachines, rollouts, log });
  } catch (caught) {
    const error = publicError(caught);
    log({ message: error.message, code: error.code });
    throw error;
  }
}
