/** The states of a stage: a task, or a map with a task inside. */
import { Duration } from 'aws-cdk-lib';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { itemMembers } from '../lambdas/contract/rollout-state.ts';
import { type Each, inlineConcurrency } from '../lambdas/contract/stage-description.ts';
import { type StageId, stages } from '../lambdas/contract/stages.ts';

/** What the drawing of stages needs. */
export interface Drawing {
  /** The function of a stage; asked for each stage of the plan. */
  readonly functionOf: (stage: StageId) => lambda.IFunction;
  /**
   * Items at once, for the stages that run once for each id: 1–200. Above 40 their map is a distributed one, whose
   * items are executions of their own.
   * @default null: what the plan's table says.
   */
  readonly concurrency?: number | null;
}

/** What is drawn of a stage: a task, or for a stage over a list a map with a task inside. */
export type Drawn = tasks.LambdaInvoke | sfn.Map | sfn.DistributedMap;

/**
 * Seconds between the end of a function's own time and the end of its task's, for the call and a cold start:
 * the function's timeout is what Step Functions should see, because that one is retried.
 */
const marginSeconds = 30;

/**
 * A stage over ranges: a map that never fails, each of whose items runs as often as its range takes. A distributed
 * one, so that a range has a history of its own: thousands of slices of many ranges would end that of the rollout.
 * The results take the list's place in the state.
 */
export function rangeMap(
  scope: Construct,
  name: string,
  stage: StageId,
  { functionOf }: Drawing,
): sfn.DistributedMap {
  const recorded = (outcome: 'swept' | 'failed', comment: string) =>
    new sfn.Pass(scope, `${name}: ${outcome}`, {
      comment,
      parameters: {
        'target.$': '$.range.target',
        outcome,
        'moved.$': '$.moved',
        ...(outcome === 'failed' ? { 'code.$': '$.failure.Error' } : {}),
      },
    });
  const one = task(scope, `${name}: one`, stage, functionOf);
  one.addCatch(recorded('failed', 'Recorded; the stage before moves what is left of the range.'), {
    errors: ['States.ALL'],
    resultPath: '$.failure',
  });
  one.next(
    new sfn.Choice(scope, `${name}: more?`)
      .when(sfn.Condition.booleanEquals('$.finished', false), one)
      .otherwise(recorded('swept', 'The range was gone over to its end.')),
  );
  return new sfn.DistributedMap(scope, name, {
    comment: stages[stage].does,
    itemsPath: '$.ranges',
    resultPath: '$.ranges',
    maxConcurrencyPath: '$.rangesAtOnce',
    mapExecutionType: sfn.StateMachineType.STANDARD,
    toleratedFailurePercentage: 100,
  }).itemProcessor(one);
}

/**
 * A stage over a list: a map that never fails. An item that fails for good is recorded by its id and the error's
 * name, and the results take the list's place in the state.
 */
export function map(
  scope: Construct,
  name: string,
  stage: StageId,
  each: Each,
  { functionOf, concurrency }: Drawing,
): sfn.Map | sfn.DistributedMap {
  const path = `$.${each.items}`;
  const one = task(scope, `${name}: one`, stage, functionOf, {
    'id.$': '$.id',
    'rollout.$': '$.rollout',
    'retries.$': '$$.State.RetryCount',
  });
  one.addCatch(
    new sfn.Pass(scope, `${name}: failed`, {
      comment: 'Recorded by its id; the next stage judges.',
      parameters: { 'id.$': '$.id', outcome: 'failed', 'code.$': '$.failure.Error' },
    }),
    { errors: ['States.ALL'], resultPath: '$.failure' },
  );
  const props = {
    comment: stages[stage].does,
    itemsPath: path,
    itemSelector: {
      'id.$': '$$.Map.Item.Value',
      rollout: Object.fromEntries(itemMembers.map((member) => [`${member}.$`, `$.${member}`])),
    },
    resultPath: path,
    maxConcurrency: concurrency ?? each.concurrency,
  };
  if (props.maxConcurrency <= inlineConcurrency) {
    return new sfn.Map(scope, name, props).itemProcessor(one);
  }
  return new sfn.DistributedMap(scope, name, {
    ...props,
    mapExecutionType: sfn.StateMachineType.STANDARD,
    // Without it, one child execution that ends otherwise than by our Catch would end the whole map.
    toleratedFailurePercentage: 100,
  }).itemProcessor(one);
}

/** @param parameters what the function is given. Left out: the state as it is. */
export function task(
  scope: Construct,
  name: string,
  stage: StageId,
  functionOf: (stage: StageId) => lambda.IFunction,
  parameters?: Record<string, string>,
): tasks.LambdaInvoke {
  const { does, timeoutSeconds, retry } = stages[stage];
  const state = new tasks.LambdaInvoke(scope, name, {
    comment: does,
    lambdaFunction: functionOf(stage),
    ...(parameters === undefined ? {} : { payload: sfn.TaskInput.fromObject(parameters) }),
    // State in, state out, without the envelope of the Invoke API.
    payloadResponseOnly: true,
    // The table has these errors too, with our numbers.
    retryOnServiceExceptions: false,
    taskTimeout: sfn.Timeout.duration(Duration.seconds(timeoutSeconds + marginSeconds)),
  });
  for (const { errors, intervalSeconds, maxAttempts, backoffRate, maxDelaySeconds } of retry) {
    state.addRetry({
      errors: [...errors],
      interval: Duration.seconds(intervalSeconds),
      maxAttempts,
      backoffRate,
      maxDelay: Duration.seconds(maxDelaySeconds),
    });
  }
  return state;
}
