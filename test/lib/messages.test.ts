/** What people read: events of the real stages, sent over the real template to a topic in a local account. */

import { join } from 'node:path';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventBridge } from '../../lambdas/adapters/aws/events.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { KeyturnEvent } from '../../lambdas/contract/events.ts';
import type { Measurement } from '../../lambdas/contract/metrics.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import type { StageDefinition, StagePorts } from '../../lambdas/contract/stage.ts';
import { noTarget } from '../../lambdas/contract/target.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { rotationFailed } from '../../lambdas/rotation/failed-event.ts';
import { KeyturnStack } from '../../lib/keyturn-stack.ts';
import { type Account, startAccount } from '../../lib/rehearsal/endpoint/account.ts';
import { example, newApp } from './synth.ts';

// No function runs here.
vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const deployment = example('exo');
const settings = {
  schema: 1 as const,
  deployment: deployment.name,
  platform: deployment.platform,
  secrets: deployment.secrets.map((secret) => secret.settings),
};
const secretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:exo/jwt-AbCdEf';
const self = 'arn:aws:lambda:eu-central-1:111122223333:function:stall';
const state: RolloutState = {
  schema: 1,
  secretId,
  versionId: 'version-2',
  previousVersionId: 'version-1',
  plan: 'redeploy-and-prove',
  publishedAt: '2026-11-21T02:00:00.000Z',
  attempt: 1,
};
const failure = (code: string, errorMessage: string) => ({
  Error: code,
  Cause: JSON.stringify({ errorMessage }),
});

let account: Account;
let client: EventBridgeClient;
beforeAll(async () => {
  const app = newApp();
  const stack = new KeyturnStack(app, { deployment });
  app.synth();
  account = await startAccount({ compression: 600 });
  await account.deploy(join(app.outdir, `${stack.stackName}.template.json`));
  client = new EventBridgeClient({
    endpoint: account.url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
  });
}, 60_000);
afterAll(async () => {
  client.destroy();
  await account.stop();
});

/** The message that people get of an event. */
async function messageOf(event: KeyturnEvent): Promise<string> {
  const { notifications } = account.plane.topics;
  const from = notifications.length;
  await eventBridge(client, `keyturn-${deployment.name}-events`).put(event);
  await vi.waitFor(() => expect(notifications.length).toBe(from + 1), { timeout: 5_000 });
  return notifications[from]?.message ?? '';
}

/** What a stage sends, and what it counts. */
async function sentBy(stage: StageDefinition, input: RolloutState) {
  const sent: KeyturnEvent[] = [];
  const measured: Measurement[] = [];
  const refuse = () => Promise.reject(new Error('not used'));
  const ports: StagePorts = {
    secrets: {
      describe: refuse,
      read: refuse,
      versions: refuse,
      writePending: refuse,
      writeLabelled: refuse,
      moveCurrent: refuse,
      moveLabel: refuse,
      removePending: refuse,
      tag: async () => {},
    },
    events: { put: async (event) => void sent.push(event) },
    metrics: { put: (measurement) => void measured.push(measurement) },
    fleets: new Map(),
    target: noTarget.target,
    classes: new Map(),
    reencryption: new Map(),
    credential: () => Promise.reject(new Error('not used')),
    consumers: new Map(),
    http: { send: refuse },
    clock: { now: () => new Date(0), sleep: async () => {} },
    log: () => {},
  };
  await stage.run(input, { settings, self, ports, remaining: () => 60_000 });
  const [event] = sent;
  if (event === undefined || sent.length > 1) throw new Error(`${sent.length} events`);
  return { event, measured };
}

const of = { Deployment: 'exo-production', Secret: 'EXO_JWT_SECRET' };

describe('a person reads, on one line,', () => {
  it.each([
    {
      what: 'of a rollout that stalled before its consumers had restarted',
      stage: stageDefinitions.stall,
      input: {
        ...state,
        failure: failure('NotSettled', 'Secrets Manager has not closed the rotation of exo/jwt yet.'),
      },
      metric: 'RolloutStalled',
      message:
        'Rollout Stalled: EXO_JWT_SECRET of exo-production. Secrets Manager has not closed the rotation of exo/jwt yet. What still works: Consumers that have not restarted run on with what they started with; both versions are kept. To go on: npx keyturn resume EXO_JWT_SECRET (NotSettled at stall, version version-2)',
    },
    {
      what: 'of a rollout that stalled after they had, with what a template might stumble over',
      stage: stageDefinitions.stall,
      input: {
        ...state,
        consumersRenewed: 2,
        failure: failure('OldValueStillAccepted', 'It says "yes" <reason>,\nand C:\\yes.'),
      },
      metric: 'RolloutStalled',
      message:
        "Rollout Stalled: EXO_JWT_SECRET of exo-production. It says 'yes' (reason), and C:/yes. What still works: 2 consumers run with the current version; the one before is kept. To go on: npx keyturn resume EXO_JWT_SECRET (OldValueStillAccepted at stall, version version-2)",
    },
    {
      what: 'of a roll-back that could not bring back its consumers',
      stage: stageDefinitions.stall,
      input: {
        ...state,
        versionId: 'version-1',
        previousVersionId: 'version-2',
        rolledBackFrom: 'version-2',
        failure: failure(
          'ConsumersNotHealthy',
          'Not every consumer runs with the new version. web: 0 of 2 tasks.',
        ),
      },
      metric: 'RolloutStalled',
      message:
        'Rollout Stalled: EXO_JWT_SECRET of exo-production. Not every consumer runs with the new version. web: 0 of 2 tasks. What still works: The version that worked before is current again; consumers may run with either, and both are kept. To go on: npx keyturn resume EXO_JWT_SECRET (ConsumersNotHealthy at stall, version version-1)',
    },
    {
      what: 'of a rollout that was rolled back',
      stage: stageDefinitions['rolled-back'],
      input: {
        ...state,
        versionId: 'version-1',
        previousVersionId: 'version-2',
        rolledBackFrom: 'version-2',
        failure: failure(
          'ConsumersNotHealthy',
          'Not every consumer runs with the new version. web: 0 of 2 tasks.',
        ),
      },
      metric: 'RolloutRolledBack',
      message:
        'Rollout Rolled Back: EXO_JWT_SECRET of exo-production. Not every consumer runs with the new version. web: 0 of 2 tasks. Version version-2 was given up. What still works: The version that worked before is current again, and every consumer runs with it. To go on: npx keyturn rotate EXO_JWT_SECRET (ConsumersNotHealthy at rolled-back, version version-1)',
    },
    {
      what: 'of a rollout that was completed',
      stage: stageDefinitions.complete,
      input: { ...state, consumersRenewed: 2, oldValueRefused: true },
      metric: 'RolloutCompleted',
      message:
        'Rollout Completed: EXO_JWT_SECRET of exo-production. 2 consumers run with the new value; the old value was probed and is refused. (version version-2)',
    },
  ])('$what', async ({ stage, input, metric, message }) => {
    const { event, measured } = await sentBy(stage, input);
    expect(await messageOf(event)).toBe(message);
    expect(measured).toEqual([{ metric, value: 1, of }]);
  });

  it.each([
    {
      code: 'ConsentMissing' as const,
      step: 'create' as const,
      ending:
        'Why. What still works: The current value has not changed, and the consumers run with it. To go on: npx keyturn approve EXO_JWT_SECRET --for 1h --reason planned (ConsentMissing at create, version version-2)',
    },
    {
      code: 'SupplyMissing' as const,
      step: 'create' as const,
      ending:
        'Why. What still works: The current value has not changed, and the consumers run with it. To go on: npx keyturn supply EXO_JWT_SECRET (SupplyMissing at create, version version-2)',
    },
    {
      code: 'CurrentChanged' as const,
      step: 'finish' as const,
      ending:
        'Why. What still works: The value that was current is kept, and the consumers run with it. To go on: npx keyturn discard EXO_JWT_SECRET (CurrentChanged at finish, version version-2)',
    },
    {
      code: 'AwsUnreachable' as const,
      step: 'test' as const,
      ending:
        'Why. What still works: The current value has not changed, and the consumers run with it. To go on: npx keyturn status EXO_JWT_SECRET (AwsUnreachable at test, version version-2)',
    },
  ])('of a rotation that failed with $code', async ({ code, step, ending }) => {
    const [secret] = settings.secrets;
    if (secret === undefined) throw new Error('no secret');
    const error = new KeyturnError({ code, message: 'Why.' });
    const event = rotationFailed(
      error,
      { step, secretId, token: 'version-2', rotationToken: undefined },
      secret,
      settings,
    );
    expect(await messageOf(event)).toBe(`Rotation Failed: EXO_JWT_SECRET of exo-production. ${ending}`);
  });
});
