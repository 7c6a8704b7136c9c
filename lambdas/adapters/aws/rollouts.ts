import {
  ExecutionAlreadyExists,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { Rollouts } from '../../contract/ports.ts';
import { call } from './errors.ts';
import type { OperatorAccess } from './operator.ts';

/** Step Functions. A name that ran within 90 days starts nothing (API reference, StartExecution). */
export function stepFunctions(client: SFNClient): Rollouts {
  return {
    async start(stateMachineArn, name, input) {
      return call('StartExecution', async () => {
        try {
          await client.send(new StartExecutionCommand({ stateMachineArn, name, input }));
          return true;
        } catch (caught) {
          if (caught instanceof ExecutionAlreadyExists) return false;
          throw caught;
        }
      });
    },
  };
}

/** What a person starts from the CLI or a rehearsal, under the operator's credentials. */
export function rolloutsOf(access: OperatorAccess): Rollouts & {
  /** Ends an execution at once: "Stop execution" of the console. */ stop(
    executionArn: string,
  ): Promise<void>;
} {
  const client = new SFNClient(access);
  return {
    ...stepFunctions(client),
    async stop(executionArn) {
      await call('StopExecution', () => client.send(new StopExecutionCommand({ executionArn })));
    },
  };
}
