import { ListExecutionsCommand, type SFNClient } from '@aws-sdk/client-sfn';
import type { Executions } from '../../contract/fleet.ts';
import { call } from './errors.ts';

/** Step Functions' list of executions, a thousand a page: the most it gives (API reference, ListExecutions). */
export function stepFunctionsExecutions(client: SFNClient): Executions {
  return {
    async list(stateMachineArn, status, cursor) {
      const answer = await call('ListExecutions', () =>
        client.send(
          new ListExecutionsCommand({
            stateMachineArn,
            statusFilter: status,
            maxResults: 1_000,
            ...(cursor === null ? {} : { nextToken: cursor }),
          }),
        ),
      );
      return {
        executions: (answer.executions ?? []).flatMap(({ name, startDate }) =>
          name === undefined || startDate === undefined ? [] : [{ name, startedAt: startDate }],
        ),
        next: answer.nextToken ?? null,
      };
    },
  };
}
