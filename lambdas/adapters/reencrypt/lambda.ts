import { InvokeCommand, type InvokeCommandOutput, LambdaClient } from '@aws-sdk/client-lambda';
import { KeyturnError } from '../../contract/errors.ts';
import { parsedJson } from '../../hooks/json-pointer.ts';
import { hook, type ReencryptFunctions } from '../../hooks/reencrypt/lambda.ts';
import { call } from '../aws/errors.ts';

/**
 * Lambda through the AWS SDK. An error's payload holds its message and stack, which may quote a value: it is not
 * read.
 */
export function reencryptFunctions(client: LambdaClient): ReencryptFunctions {
  return {
    async invoke(name, event, deadline) {
      const abortSignal = AbortSignal.timeout(Math.floor(deadline));
      let answer: InvokeCommandOutput;
      try {
        answer = await call('Invoke', () =>
          client.send(
            new InvokeCommand({
              FunctionName: name,
              InvocationType: 'RequestResponse',
              LogType: 'None',
              Payload: Buffer.from(JSON.stringify(event)),
            }),
            { abortSignal },
          ),
        );
      } catch (error) {
        if (!abortSignal.aborted) throw error;
        throw new KeyturnError({
          code: 'HookUnreachable',
          message: `The function ${name} must answer within ${Math.round(deadline / 1000)} s; it did not.`,
          retryable: true,
        });
      }
      if (answer.FunctionError !== undefined) return { ok: false };
      return { ok: true, payload: parsedJson(answer.Payload?.transformToString() ?? '') };
    },
  };
}

/** A lost answer is not asked for again by the SDK: the function may still run. The stage decides. */
export const connected = () => hook.connect(reencryptFunctions(new LambdaClient({ maxAttempts: 1 })));
