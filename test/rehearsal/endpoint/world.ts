/**
 * The account that the endpoint's tests live in: a Secrets Manager behind HTTP on a virtual clock, functions that
 * the tests write, and clients with different identities.
 */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { virtualClock } from '../../../lib/rehearsal/endpoint/clocks.ts';
import {
  type JsonServer,
  type JsonServerOptions,
  startJsonServer,
} from '../../../lib/rehearsal/endpoint/json-server.ts';
import { defaultOptions } from '../../../lib/rehearsal/endpoint/secrets-manager/core.ts';
import {
  type Options,
  type SecretEvent,
  SecretsManager,
} from '../../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import {
  AwsError,
  type Caller,
  type InvocationResult,
  type Json,
  type JsonObject,
  type WorldClock,
} from '../../../lib/rehearsal/endpoint/wire.ts';

export const functionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:rotate';

export const callers = {
  OPERATOR: { accessKeyId: 'OPERATOR', roleArn: null, functionArn: null },
  FUNCTION: { accessKeyId: 'FUNCTION', roleArn: 'arn:aws:iam::111122223333:role/rotate', functionArn },
  ASSUMED: { accessKeyId: 'ASSUMED', roleArn: 'arn:aws:iam::111122223333:role/assumed', functionArn: null },
  FOREIGN: { accessKeyId: 'FOREIGN', roleArn: 'arn:aws:iam::444455556666:role/guest', functionArn: null },
} as const satisfies Record<string, Caller>;

export interface RotationEvent {
  Step: string;
  SecretId: string;
  ClientRequestToken: string;
  RotationToken: string;
}

export type Handler = (event: RotationEvent) => Promise<Json>;

/** Makes every test's ids different from the next test's, and the same in every run. */
export function countedRandomness() {
  let count = 0;
  let ids = 0;
  return {
    bytes: (size: number) =>
      Uint8Array.from({ length: size }, () => {
        count = (count * 31 + 17) % 65_521;
        return count % 256;
      }),
    uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
  };
}

export class World {
  readonly clock = virtualClock();
  readonly events: SecretEvent[] = [];
  readonly invocations: RotationEvent[] = [];
  readonly permitted = new Set([functionArn]);
  handler: Handler = async () => null;
  readonly secrets: SecretsManager;
  #count = 0;

  constructor(options: Partial<Options> = {}, clock: WorldClock = this.clock) {
    this.secrets = new SecretsManager({
      clock,
      random: countedRandomness(),
      emit: (event) => void this.events.push(event),
      invoker: {
        permits: (arn, principal) => principal === 'secretsmanager.amazonaws.com' && this.permitted.has(arn),
        invoke: (_arn, event) => this.#invoke(event as unknown as RotationEvent),
      },
      options,
    });
  }

  async #invoke(event: RotationEvent): Promise<InvocationResult> {
    this.invocations.push(event);
    try {
      return { ok: true, payload: await this.handler(event) };
    } catch (error) {
      const { name, message } = error as Error;
      return { ok: false, errorType: name, errorMessage: message };
    }
  }

  /** A name that no other secret has. */
  name(): string {
    this.#count += 1;
    return `conformance/secret-${this.#count}-x`;
  }

  /** A call without HTTP. */
  call(operation: string, input: JsonObject, caller: Caller = callers.OPERATOR): Promise<JsonObject> {
    return this.secrets.handle(operation, input, caller);
  }

  /** Label -> version id, of all labels. */
  labels(secretId: string): Partial<Record<string, string>> {
    const found: Partial<Record<string, string>> = {};
    for (const version of this.secrets.snapshot(secretId) ?? []) {
      for (const label of version.labels) found[label] = version.id;
    }
    return found;
  }

  /** The events' names, labels for native ones. */
  get eventNames(): string[] {
    return this.events.map(({ detail }) =>
      String(detail.eventName ?? `label ${String(detail.labelUpdated)}`),
    );
  }

  reset(): void {
    Object.assign(this.secrets.options, defaultOptions, { eventFaults: {} });
    this.events.length = 0;
    this.invocations.length = 0;
    this.permitted.clear();
    this.permitted.add(functionArn);
    this.handler = async () => null;
  }
}

/** A rotation function as the guide tells to write one, calling without HTTP. */
export function rotationFunction(world: World, caller: Caller = callers.FUNCTION): Handler {
  return async ({ Step, SecretId, ClientRequestToken, RotationToken }) => {
    if (Step === 'createSecret') {
      const pending = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' };
      try {
        await world.call('GetSecretValue', pending, caller);
      } catch (error) {
        if (!(error instanceof AwsError) || error.code !== 'ResourceNotFoundException') throw error;
        const SecretString = `value of ${ClientRequestToken}`;
        const input = {
          SecretId,
          ClientRequestToken,
          SecretString,
          VersionStages: ['AWSPENDING'],
          RotationToken,
        };
        await world.call('PutSecretValue', input, caller);
      }
    }
    if (Step === 'finishSecret') await promote(world, SecretId, ClientRequestToken, caller);
    return null;
  };
}

export async function promote(world: World, SecretId: string, to: string, caller: Caller = callers.FUNCTION) {
  const from = world.labels(SecretId).AWSCURRENT;
  if (from === to) return;
  const input = { SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId: to };
  const move = from === undefined ? input : { ...input, RemoveFromVersionId: from };
  await world.call('UpdateSecretVersionStage', move, caller);
}

export interface Served {
  readonly world: World;
  readonly server: () => JsonServer;
  readonly client: (accessKeyId?: keyof typeof callers) => SecretsManagerClient;
}

/** A world behind HTTP for all tests of a file; each test finds fresh options, events and functions. */
export function servedWorld(options: Partial<JsonServerOptions> = {}): Served {
  const world = new World();
  const clients = new Map<string, SecretsManagerClient>();
  let server: JsonServer | null = null;
  const running = () => {
    if (server === null) throw new Error('the server runs only within tests');
    return server;
  };
  beforeAll(async () => {
    server = await startJsonServer({
      services: [world.secrets],
      callerOf: (key) => new Map<string, Caller>(Object.entries(callers)).get(key) ?? null,
      ...options,
    });
  });
  afterEach(() => world.reset());
  afterAll(async () => {
    for (const client of clients.values()) client.destroy();
    await server?.close();
  });
  return {
    world,
    server: running,
    client: (accessKeyId = 'OPERATOR') => {
      const known = clients.get(accessKeyId);
      if (known) return known;
      const made = new SecretsManagerClient({
        endpoint: running().url,
        region: 'eu-central-1',
        credentials: { accessKeyId, secretAccessKey: 'none' },
        maxAttempts: 1,
      });
      clients.set(accessKeyId, made);
      return made;
    },
  };
}

/** How a call fails, as the SDK sees it. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ code: string; message: string; status?: number }> {
  try {
    await call;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    const status = $metadata?.httpStatusCode;
    return { code: name, message, ...(status === undefined ? {} : { status }) };
  }
  return expect.fail('the call succeeded');
}

/** A token of the usual form that no test uses twice. */
let tokens = 0;
export function token(): string {
  tokens += 1;
  return `11111111-1111-4111-8111-${String(tokens).padStart(12, '0')}`;
}
