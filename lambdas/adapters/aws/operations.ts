/** The ports of an operator's commands on the AWS SDK, under the credentials of who runs them. */
import { SecretsManagerClient, UntagResourceCommand } from '@aws-sdk/client-secrets-manager';
import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  SFNClient,
  StateMachineDoesNotExist,
} from '@aws-sdk/client-sfn';
import type {
  EnteredState,
  OperatorPorts,
  OperatorRollouts,
  OperatorSecrets,
} from '../../contract/operator-ports.ts';
import { clock } from '../platform.ts';
import { call } from './errors.ts';
import { type OperatorAccess, operator } from './operator.ts';
import { stepFunctions } from './rollouts.ts';
import { allVersions, describedSecret, secretsManager } from './secrets.ts';

/** @param access where and as whom. Default: as the SDK finds them. */
export function operatorPorts(access: OperatorAccess): OperatorPorts {
  return {
    secrets: operatorSecrets(access),
    rollouts: operatorRollouts(new SFNClient(access)),
    clock,
  };
}

function operatorSecrets(access: OperatorAccess): OperatorSecrets {
  const client = new SecretsManagerClient(access);
  const { rotate, supply } = operator(access);
  return {
    ...secretsManager(client),
    rotate,
    supply,

    async overview(secretId) {
      const [answer, versions] = await Promise.all([
        describedSecret(client, secretId),
        allVersions(client, secretId),
      ]);
      return {
        ...answer.description,
        nextRotationAt: answer.nextRotationAt,
        versions: new Map(versions.map(({ versionId, createdAt }) => [versionId, { createdAt }])),
      };
    },

    async untag(secretId, keys) {
      await call('UntagResource', () =>
        client.send(new UntagResourceCommand({ SecretId: secretId, TagKeys: [...keys] })),
      );
    },
  };
}

function operatorRollouts(client: SFNClient): OperatorRollouts {
  return {
    ...stepFunctions(client),

    describe: (executionArn) =>
      call('DescribeExecution', async () => {
        try {
          const answer = await client.send(new DescribeExecutionCommand({ executionArn }));
          return {
            arn: executionArn,
            status: answer.status ?? 'RUNNING',
            startedAt: answer.startDate ?? new Date(0),
            stoppedAt: answer.stopDate ?? null,
            input: answer.input ?? '{}',
            output: answer.output ?? null,
            error: answer.error ?? null,
          };
        } catch (caught) {
          if (caught instanceof ExecutionDoesNotExist || caught instanceof StateMachineDoesNotExist)
            return null;
          throw caught;
        }
      }),

    async states(executionArn) {
      const events: HistoryEvent[] = [];
      let nextToken: string | undefined;
      do {
        const answer = await call('GetExecutionHistory', () =>
          client.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1_000, nextToken })),
        );
        events.push(...(answer.events ?? []));
        nextToken = answer.nextToken;
      } while (nextToken !== undefined);
      return statesIn(events);
    },
  };
}

function statesIn(events: readonly HistoryEvent[]): EnteredState[] {
  const states: EnteredState[] = [];
  for (const event of events) {
    const entered = event.stateEnteredEventDetails;
    if (entered !== undefined) {
      states.push({
        name: entered.name ?? '',
        enteredAt: event.timestamp ?? new Date(0),
        input: entered.input ?? '{}',
        failures: 0,
        lastFailure: null,
      });
    }
    const failed = failureOf(event);
    const last = states.at(-1);
    if (failed === undefined || last === undefined) continue;
    const lastFailure = { error: failed.error ?? 'unknown', cause: failed.cause ?? '' };
    states.splice(-1, 1, { ...last, failures: last.failures + 1, lastFailure });
  }
  return states;
}

/** A function that is its state's resource fails under one name, any other task under another. */
function failureOf(event: HistoryEvent) {
  return (
    event.lambdaFunctionFailedEventDetails ??
    event.lambdaFunctionTimedOutEventDetails ??
    event.lambdaFunctionScheduleFailedEventDetails ??
    event.lambdaFunctionStartFailedEventDetails ??
    event.taskFailedEventDetails ??
    event.taskTimedOutEventDetails
  );
}
