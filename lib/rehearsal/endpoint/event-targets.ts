/** The targets of rules that the endpoint has: functions, topics, queues, state machines and other buses. */

import type { Deliver } from './event-delivery.ts';
import { DeliveryFailure } from './event-delivery.ts';
import type { Functions } from './functions.ts';
import type { Iam } from './iam.ts';
import type { Destinations } from './messaging.ts';
import type { Json } from './wire.ts';
import { AwsError } from './wire.ts';

export interface EventReach {
  readonly functions: Functions;
  readonly topics: Destinations;
  readonly queues: Destinations;
  readonly iam: Iam;
  /** Starts an execution with a JSON text as its input. @throws AwsError */
  readonly startExecution: (stateMachineArn: string, input: string) => void;
}

const principal = 'events.amazonaws.com';

/** Lambda runs an asynchronous event up to three times. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const functionRetries = 2;

/** Delivers to a target after asking what AWS asks: the function's permission, the topic's policy, the rule's role. */
export function targetDelivery(reach: EventReach): Deliver {
  return async (targetArn, { ruleArn, roleArn, inRole, payload }) => {
    const service = targetArn.split(':')[2] ?? '';
    const sender = inRole ? null : { principal, sourceArn: ruleArn };
    try {
      if (inRole) requireRole(reach.iam, roleArn, service, targetArn);
      if (service === 'lambda')
        await toFunction(reach.functions, targetArn, inRole ? null : ruleArn, payload);
      else if (service === 'sns') reach.topics.send(targetArn, unquoted(payload), sender);
      else if (service === 'sqs') reach.queues.send(targetArn, payload, sender);
      else if (service === 'states') toStateMachine(reach, targetArn, roleArn, payload);
      else throw new DeliveryFailure(`the rehearsal delivers no events to ${targetArn}`, 0);
    } catch (error) {
      if (error instanceof AwsError) throw new DeliveryFailure(`${error.code}: ${error.message}`, 0);
      throw error;
    }
  };
}

const actions: Readonly<Record<string, string>> = {
  lambda: 'lambda:InvokeFunction',
  sns: 'sns:Publish',
  sqs: 'sqs:SendMessage',
  states: 'states:StartExecution',
};

/** @throws AwsError when the role may not do what the target needs */
function requireRole(iam: Iam, roleArn: string | null, service: string, targetArn: string): void {
  const action = actions[service];
  if (action !== undefined && roleArn !== null) iam.require(roleArn, action, targetArn);
}

async function toFunction(
  functions: Functions,
  functionArn: string,
  ruleArn: string | null,
  payload: string,
): Promise<void> {
  if (ruleArn !== null && !functions.permits(functionArn, principal, ruleArn)) {
    throw new DeliveryFailure(`${principal} may not invoke ${functionArn} for ${ruleArn}`, 0);
  }
  const result = await functions.invoke(functionArn, JSON.parse(payload) as Json);
  if (!result.ok) throw new DeliveryFailure(`${result.errorType}: ${result.errorMessage}`, functionRetries);
}

function toStateMachine(
  { iam, startExecution }: EventReach,
  stateMachineArn: string,
  roleArn: string | null,
  payload: string,
): void {
  if (roleArn === null) throw new DeliveryFailure(`a rule needs a role to start ${stateMachineArn}`, 0);
  iam.require(roleArn, 'states:StartExecution', stateMachineArn);
  startExecution(stateMachineArn, payload);
}

/** A template that is one JSON string reaches a topic as its text. */
const unquoted = (payload: string): string => {
  const value: unknown = JSON.parse(payload);
  return typeof value === 'string' ? value : payload;
};
