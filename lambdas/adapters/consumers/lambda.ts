import {
  GetFunctionConfigurationCommand,
  LambdaClient,
  ListAliasesCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { type FunctionState, hook, type LambdaFunctions } from '../../hooks/redeploy/lambda.ts';
import { call } from '../aws/errors.ts';

const updates: ReadonlyMap<string, FunctionState['update']> = new Map([
  ['Successful', 'successful'],
  ['Failed', 'failed'],
]);

/**
 * Lambda through the AWS SDK. Both calls on the configuration answer with the variables of the environment as
 * well; only the members that are named here ever leave this file.
 */
export function lambdaApi(client: LambdaClient): LambdaFunctions {
  return {
    async state(name) {
      const { Description, LastModified, LastUpdateStatus, Timeout, RevisionId } = await call(
        'GetFunctionConfiguration',
        () => client.send(new GetFunctionConfigurationCommand({ FunctionName: name })),
      );
      return {
        description: Description ?? '',
        lastModified: new Date(LastModified ?? 0),
        update: updates.get(LastUpdateStatus ?? '') ?? 'in-progress',
        timeoutSeconds: Timeout ?? 3,
        revision: RevisionId ?? '',
      };
    },

    async publishedAliases(name, most) {
      const published: string[] = [];
      let marker: string | undefined;
      do {
        const page = marker;
        const answer = await call('ListAliases', () =>
          client.send(
            new ListAliasesCommand({ FunctionName: name, ...(page === undefined ? {} : { Marker: page }) }),
          ),
        );
        for (const alias of answer.Aliases ?? []) {
          if (alias.FunctionVersion !== '$LATEST') published.push(alias.Name ?? '');
        }
        marker = answer.NextMarker;
      } while (marker !== undefined && published.length < most);
      return published.slice(0, most);
    },

    async describe(name, description, revision) {
      return await call('UpdateFunctionConfiguration', async () => {
        try {
          await client.send(
            new UpdateFunctionConfigurationCommand({
              FunctionName: name,
              Description: description,
              RevisionId: revision,
            }),
          );
          return true;
        } catch (error) {
          // Changed since it was read, or being changed: the caller looks again.
          const raced = ['PreconditionFailedException', 'ResourceConflictException'];
          if (error instanceof Error && raced.includes(error.name)) return false;
          throw error;
        }
      });
    },
  };
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () => hook.connect(lambdaApi(new LambdaClient({})));
