/** The targets of rules that the endpoint has: functions, topics, queues, state machines and other buses. */

import type { Deliver } from './event-delivery.ts';
import { DeliveryFailure } from './event-delivery.ts';
import type { Functions } from './functions.ts';
import type { Iam } from './iam.ts';
import type { Destinations } from './messaging.ts';
import type { Json } from './service.ts';
import { AwsError } from './service.ts';

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
  return async (targetArn, { ruleArn, roleArn, payload }) => {
    const service = targetArn.split(':')[2] ?? '';
    const sender = { principal, sourceArn: ruleArn };
    try {
      if (service === 'lambda') await toFunction(reach.functions, targetArn, ruleArn, payload);
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

async function toFunction(
  functions: Functions,
  functionArn: string,
  ruleArn: string,
  payload: string,
): Promise<void> {
  if (!functions.permits(functionArn, principal, ruleArn)) {
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
