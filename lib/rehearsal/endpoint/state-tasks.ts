/** What a Task state does: the service integrations that the endpoint has, each under the machine's role. */

import type { Functions } from './functions.ts';
import type { Iam } from './iam.ts';
import { busArn } from './iam-resources.ts';
import { isObject, listOf, object, text } from './json-shape.ts';
import type { Destinations } from './messaging.ts';
import type { Json, JsonObject, Service } from './wire.ts';
import { AwsError } from './wire.ts';

/** An error with the name that Retry and Catch compare; its message is the Cause. */
export class TaskError extends Error {
  /** The interpreter reads both: false keeps States.ALL from matching. */
  readonly isRetryable: boolean;
  readonly isCatchable: boolean;

  constructor(name: string, cause: string, recoverable = true) {
    super(cause);
    this.name = name;
    this.isRetryable = recoverable;
    this.isCatchable = recoverable;
  }
}

export interface TaskReach {
  readonly functions: Functions;
  readonly iam: Iam;
  readonly events: Service;
  readonly topics: Destinations;
}

type Task = (input: Json, roleArn: string, reach: TaskReach) => Promise<Json>;

/** https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html */
const integrations: Readonly<Record<string, Task>> = {
  'arn:aws:states:::lambda:invoke': lambdaInvoke,
  'arn:aws:states:::events:putEvents': putEvents,
  'arn:aws:states:::sns:publish': publish,
};

/** @throws Error for a resource that the rehearsal cannot run, so that a definition fails when it is deployed. */
export function taskOf(resource: string, where: string): Task {
  if (resource.startsWith('arn:aws:lambda:')) {
    return async (input, roleArn, reach) => invoke(resource, input, roleArn, reach);
  }
  const task = integrations[resource];
  if (task === undefined) throw new Error(`${where}: the rehearsal has no task resource ${resource}`);
  return task;
}

async function invoke(functionArn: string, payload: Json, roleArn: string, reach: TaskReach): Promise<Json> {
  asRole('Lambda.AWSLambdaException', 'Lambda', () =>
    reach.iam.require(roleArn, 'lambda:InvokeFunction', functionArn),
  );
  if (!reach.functions.has(functionArn)) {
    throw new TaskError('Lambda.ResourceNotFoundException', `Function not found: ${functionArn}`);
  }
  const result = await reach.functions.invoke(functionArn, payload);
  if (result.ok) return result.payload;
  const { errorType, errorMessage, trace } = result;
  throw new TaskError(errorType, JSON.stringify({ errorType, errorMessage, trace }));
}

async function lambdaInvoke(input: Json, roleArn: string, reach: TaskReach): Promise<Json> {
  const { FunctionName, Payload } = object(input);
  const Result = await invoke(text(FunctionName) ?? '', Payload ?? {}, roleArn, reach);
  return { ExecutedVersion: '$LATEST', Payload: Result, StatusCode: 200 };
}

async function putEvents(input: Json, roleArn: string, { iam, events }: TaskReach): Promise<Json> {
  const Entries = listOf(object(input).Entries)
    .filter(isObject)
    .map(
      (entry): JsonObject => ({
        ...entry,
        // The integration takes an object where the API takes a text.
        Detail: typeof entry.Detail === 'string' ? entry.Detail : JSON.stringify(entry.Detail ?? {}),
      }),
    );
  for (const entry of Entries) {
    const bus = busArn(text(entry.EventBusName) ?? 'default');
    asRole('EventBridge.EventBridgeException', 'EventBridge', () =>
      iam.require(roleArn, 'events:PutEvents', bus),
    );
  }
  const caller = { accessKeyId: 'states', roleArn, functionArn: null };
  const answer = await events.handle('PutEvents', { Entries }, caller);
  if (answer.FailedEntryCount !== 0) throw new TaskError('EventBridge.FailedEntry', JSON.stringify(answer));
  return answer;
}

async function publish(input: Json, roleArn: string, { iam, topics }: TaskReach): Promise<Json> {
  const { TopicArn, Message, Subject } = object(input);
  const topic = text(TopicArn) ?? '';
  asRole('SNS.SnsException', 'Sns', () => iam.require(roleArn, 'sns:Publish', topic));
  const message = typeof Message === 'string' ? Message : JSON.stringify(Message ?? null);
  asRole('SNS.SnsException', 'Sns', () => topics.send(topic, message, null, text(Subject) ?? null));
  return { MessageId: 'rehearsed' };
}

/** An AWS error inside an integration carries the integration's name. */
function asRole(name: string, service: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new TaskError(name, `${error.message} (Service: ${service}, Status Code: ${error.status})`);
  }
}
