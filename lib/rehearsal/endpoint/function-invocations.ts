/**
 * Lambda's Invoke as callers outside the account's services use it: REST with JSON. Synchronous only.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { arn } from './arn.ts';
import type { CallLog } from './call-log.ts';
import type { FunctionResult } from './function-worker.ts';
import type { Functions } from './functions.ts';
import type { Iam } from './iam.ts';
import { parseCredential } from './json-server.ts';
import type { Caller, Json } from './wire.ts';
import { AwsError } from './wire.ts';

export interface InvocationDoor {
  readonly functions: Functions;
  readonly iam: Iam;
  readonly calls: CallLog;
  readonly callerOf: (accessKeyId: string) => Caller;
}

const path = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/** @returns false: the request is not for this door. */
export async function answerInvocation(
  door: InvocationDoor,
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
): Promise<boolean> {
  const [, named] = path.exec(request.url ?? '') ?? [];
  if (named === undefined || request.method !== 'POST') return false;
  try {
    const result = await invoke(door, decodeURIComponent(named), request, body);
    const text = JSON.stringify(result.ok ? result.payload : errorOf(result));
    door.calls.response(text, 'lambda', 'Invoke');
    write(response, 200, text, result.ok ? {} : { 'X-Amz-Function-Error': 'Unhandled' });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const text = JSON.stringify({ Type: 'User', Message: error.message });
    write(response, error.status, text, { 'x-amzn-ErrorType': error.code });
  }
  return true;
}

async function invoke(
  { functions, iam, calls, callerOf }: InvocationDoor,
  named: string,
  { headers, socket }: IncomingMessage,
  body: string,
): Promise<FunctionResult> {
  const credential = parseCredential(headers.authorization);
  if (credential === null) {
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token', 403);
  }
  const caller = callerOf(credential.accessKeyId);
  const functionArn = named.startsWith('arn:') ? named : arn('lambda', `function:${named}`);
  calls.request(body, 'lambda', 'Invoke', caller, socket.remotePort ?? 0);
  if (caller.roleArn !== null) {
    iam.require(caller.roleArn, 'lambda:InvokeFunction', functionArn, { functionArn: caller.functionArn });
  }
  if (!functions.has(functionArn)) {
    throw new AwsError('ResourceNotFoundException', `Function not found: ${functionArn}`, 404);
  }
  return functions.invoke(functionArn, JSON.parse(body === '' ? 'null' : body) as Json);
}

function errorOf({ errorType, errorMessage, trace }: FunctionResult & { ok: false }): Json {
  return { errorType, errorMessage, trace: [...trace] };
}

function write(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-amzn-RequestId': randomUUID(),
    ...headers,
  });
  response.end(text);
}
