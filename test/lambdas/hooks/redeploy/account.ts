/** One account on one virtual clock, over HTTP: what the hooks of consumers are run against, by the real SDK. */

import type { Clock } from '../../../../lambdas/contract/ports.ts';
import { virtualClock } from '../../../../lib/rehearsal/endpoint/clocks.ts';
import { CodeBuild } from '../../../../lib/rehearsal/endpoint/codebuild.ts';
import { EventBridge } from '../../../../lib/rehearsal/endpoint/event-bridge.ts';
import { FunctionConfigurations } from '../../../../lib/rehearsal/endpoint/function-configurations.ts';
import { startJsonServer } from '../../../../lib/rehearsal/endpoint/json-server.ts';
import { randomness } from '../../../../lib/rehearsal/endpoint/random.ts';
import { SecretsManager } from '../../../../lib/rehearsal/endpoint/secrets-manager/index.ts';

/** Stands in the account for values that must never leave an adapter. */
export const canary = 'LEAKME';

export async function openAccount() {
  const world = virtualClock({ start: Date.UTC(2026, 10, 21, 3) });
  const builds = new CodeBuild(world);
  const functions = new FunctionConfigurations(world);
  const bridge = new EventBridge({ clock: world, compression: 1, deliver: async () => {} });
  const secrets = new SecretsManager({
    clock: world,
    random: randomness('hooks'),
    emit: () => {},
    invoker: { permits: () => false, invoke: async () => ({ ok: true, payload: null }) },
  });
  const calls: string[] = [];
  const server = await startJsonServer({
    services: [builds, bridge, secrets],
    callerOf: (accessKeyId) => ({ accessKeyId, roleArn: null, functionArn: null }),
    onRequest: (_body, _service, operation) => void calls.push(operation),
    fallback: (request, response, body) => {
      calls.push(`${request.method} ${request.url?.split('/').at(-1)?.split('?')[0]}`);
      return functions.answer(request, response, body);
    },
  });
  const clock: Clock = {
    now: () => new Date(world.now()),
    sleep: (milliseconds) => world.advance(milliseconds),
  };
  return {
    world,
    clock,
    builds,
    functions,
    bridge,
    secrets,
    /** Operations in the order in which they came. */
    calls,
    config: {
      endpoint: server.url,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'AKIAHOOKS', secretAccessKey: 'x' },
      maxAttempts: 1,
    },
    close: () => server.close(),
  };
}

export type TestAccount = Awaited<ReturnType<typeof openAccount>>;

export const secretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf';
export const versionId = '11111111-2222-4333-8444-555555555555';
