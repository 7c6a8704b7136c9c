import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { OperatorFunctions } from '../../contract/operator-ports.ts';
import { call } from './errors.ts';
import type { OperatorAccess } from './operator.ts';

/** Lambda under an operator's credentials. Each invocation is asked for once. */
export function operatorFunctions(access: OperatorAccess): OperatorFunctions {
  const client = new LambdaClient({ ...access, maxAttempts: 1 });
  return {
    async invoke(functionArn, event) {
      const answer = await call('Invoke', () =>
        client.send(
          new InvokeCommand({ FunctionName: functionArn, Payload: Buffer.from(JSON.stringify(event)) }),
        ),
      );
      const payload = parsed(answer.Payload?.transformToString() ?? '');
      if (answer.FunctionError === undefined) return { ok: true, payload };
      const { errorType } = (typeof payload === 'object' ? payload : null) ?? {};
      return { ok: false, error: /^[\w.]{1,80}$/.test(errorType ?? '') ? String(errorType) : 'an error' };
    },
  };
}

function parsed(text: string): { readonly errorType?: string } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
