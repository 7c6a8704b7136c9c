/** Entry of the function that starts rollouts. */
import { SFNClient } from '@aws-sdk/client-sfn';
import * as z from 'zod/mini';
import { KeyturnError, publicError } from '../../contract/errors.ts';
import { parseEnvironment } from '../../contract/settings.ts';
import { startRollout } from '../../rollout/start.ts';
import { stepFunctions } from '../aws/rollouts.ts';
import { log } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';

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

function machinesOf(text: string | undefined): ReadonlyMap<string, string> {
  const parsed = z
    .record(z.string(), z.string())
    .safeParse(text === undefined ? undefined : JSON.parse(text));
  if (parsed.success) return new Map(Object.entries(parsed.data));
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: 'The environment must have KEYTURN_STATE_MACHINES, a JSON object of plans and ARNs.',
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
