/**
 * A rotation of a twin's key in one process: the class's steps and its plan's stages on the local Secrets
 * Manager, consumers that are the twin's processes, data in the real database. Without the template and the
 * functions' bundles, which `npm run rehearse` runs as well and which take longer than all of this.
 */

import { readFileSync } from 'node:fs';
import { random, clock as wall } from '../../lambdas/adapters/platform.ts';
import { server } from '../../lambdas/adapters/reencrypt/postgres.ts';
import { parseDeployment } from '../../lambdas/contract/deployment.ts';
import { KeyturnError, publicError } from '../../lambdas/contract/errors.ts';
import type { KeyturnEvent } from '../../lambdas/contract/events.ts';
import type { ConnectedKind } from '../../lambdas/contract/hooks.ts';
import { plans } from '../../lambdas/contract/plan.ts';
import { parseRolloutState, type RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import type { Settings } from '../../lambdas/contract/settings.ts';
import type { StageId } from '../../lambdas/contract/stages.ts';
import { noTarget } from '../../lambdas/contract/target.ts';
import { hook as sweep } from '../../lambdas/hooks/reencrypt/postgres.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { startRollout } from '../../lambdas/rollout/start.ts';
import { rotationFunction } from '../../lambdas/rotation/steps.ts';
import { type ResolvedSecret, resolveDeployment } from '../../lib/deployment/resolve.ts';
import { wallClock } from '../../lib/rehearsal/endpoint/clocks.ts';
import { SecretsManager } from '../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import type { Caller, Json, JsonObject } from '../../lib/rehearsal/endpoint/wire.ts';
import { reencryptHere } from '../../lib/rehearsal/stage-reencryption.ts';
import type { TwinVariables } from '../../lib/rehearsal/twins/twin.ts';
import { Gate } from '../simulation/gate.ts';
import { secretsPort } from '../simulation/secrets-port.ts';
import type { Platform } from './stored-world.ts';

const self = 'arn:aws:lambda:eu-central-1:111122223333:function:rotation';
const role: Caller = {
  accessKeyId: 'rotation',
  roleArn: 'arn:aws:iam::111122223333:role/rotation',
  functionArn: self,
};

/** Tries of a stage that asks to be tried again, each after a moment: none here waits for anything but Secrets Manager. */
const mostTries = 200;

export interface Rotating {
  readonly at: Platform;
  /** The example deployment's platform, and the key of the secret. */
  readonly platform: string;
  readonly key: string;
  /** Further options of the class. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The stage with which it ends. */
  readonly last: StageId;
  /** Restarts one consumer with these values, and returns when it serves. */
  restart(consumer: string, variables: TwinVariables): Promise<void>;
}

/** @returns the state that the last stage left */
export async function rotateTwin(rotating: Rotating): Promise<RolloutState> {
  const { at, key } = rotating;
  const secret = resolvedSecret(rotating);
  const settings: Settings = {
    schema: 1,
    deployment: 'rehearsed',
    platform: rotating.platform,
    secrets: [secret.settings],
  };
  const events: KeyturnEvent[] = [];
  const ports = {
    events: { put: async (event: KeyturnEvent) => void events.push(event) },
    clock: wall,
    random,
    metrics: { put: () => {} },
    log: () => {},
  };
  const clock = wallClock({ speed: 60 });
  const secrets = new SecretsManager({
    clock,
    random: { bytes: random.bytes, uuid: () => crypto.randomUUID() },
    invoker: { permits: () => true, invoke: (_arn, event) => invoke(event) },
    emit: () => {},
  });
  const gate = new Gate(new Map(), {
    check: () => {},
    duplicate: async () => {},
    secondRotation: async () => {},
    consoleEdit: async () => {},
  });
  const port = secretsPort(secrets, role, gate, { dead: false });
  const consumers = new Map([['ecs', processes(rotating, () => documentOf(secrets, secret))]]);
  const steps = rotationFunction(secret.class, settings, { ...noTarget, ...ports, secrets: port });

  async function invoke(event: Json) {
    try {
      await steps.run(event, self);
      return { ok: true as const, payload: null };
    } catch (caught) {
      const error = publicError(caught);
      return { ok: false as const, errorType: error.name, errorMessage: error.message };
    }
  }

  try {
    const { variables } = secret.class.bind(secret.settings.options);
    const members = Object.fromEntries(variables().map((name) => [name, at.initial[name] ?? '']));
    const { id } = secret.settings;
    const asked = (operation: string, input: JsonObject) =>
      secrets.handle(operation, { ClientRequestToken: crypto.randomUUID(), ...input }, role);
    await asked('CreateSecret', { Name: id, SecretString: JSON.stringify(members) });
    await asked('RotateSecret', { SecretId: id, RotationLambdaARN: self });
    const finished = await eventually(() => events.find(({ type }) => type === 'Rotation Finished'));
    let state: RolloutState | null = null;
    const rollouts = {
      start: async (_machine: string, _name: string, input: string) => {
        state = parseRolloutState(JSON.parse(input));
        return true;
      },
    };
    const stateMachines = new Map([[finished.detail.plan, 'machine']]);
    const context = { settings, self, stateMachines, rollouts, log: ports.log };
    await startRollout({ detail: finished.detail }, context);
    const way: readonly StageId[] = plans[secret.plan].stages;
    for (const stage of way.slice(0, way.indexOf(rotating.last) + 1)) state = await through(stage, state);
    return parseRolloutState(state);
  } finally {
    clock.close();
  }

  /** One stage to its end, as the state machine would: again after what may be tried again, and while there is more to do. */
  async function through(id: StageId, state: RolloutState | null): Promise<RolloutState> {
    const context = {
      settings,
      self,
      remaining: () => 120_000,
      ports: {
        ...ports,
        secrets: port,
        target: noTarget.target,
        classes: new Map([[secret.class.id, secret.class]]),
        consumers,
        fleets: new Map(),
        reencryption: new Map([['postgres', sweep.connect({ server, random })]]),
        credential: async () => new Sensitive(at.world.databaseUrl?.(rotating.platform) ?? ''),
        http: { send: () => Promise.reject(new Error(`nothing probes ${key}`)) },
      },
    };
    let input = state;
    for (let tries = 0; ; tries += 1) {
      try {
        const result = parseRolloutState(await stageDefinitions[id].run(input, context));
        if (id !== 'reencrypt' || result.reencryption?.finished !== false) return result;
        input = result;
      } catch (caught) {
        if (!(caught instanceof KeyturnError) || !caught.retryable || tries > mostTries) throw caught;
        await wall.sleep(20);
      }
    }
  }
}

/** The twin's processes in the place of ECS: each restart is awaited. */
function processes({ restart }: Rotating, read: () => TwinVariables): ConnectedKind {
  const started = new Map<string, number>();
  return {
    kind: 'ecs',
    bind: (consumer) => {
      const service = String(Reflect.get(Object(consumer), 'service'));
      return {
        ok: true,
        hook: {
          quiesce: null,
          async begin({ since }) {
            if ((started.get(service) ?? 0) > since.getTime()) return;
            await restart(service, read());
            started.set(service, Date.now());
          },
          look: async ({ since }) =>
            (started.get(service) ?? 0) > since.getTime()
              ? { renewed: true }
              : { renewed: false, reason: `${service} runs with what it had` },
        },
      };
    },
  };
}

/** The variables of the current version. */
function documentOf(secrets: SecretsManager, { settings }: ResolvedSecret): TwinVariables {
  const current = secrets.snapshot(settings.id)?.find(({ labels }) => labels.includes('AWSCURRENT'));
  if (current?.value?.kind !== 'string') throw new Error('there must be a current value');
  const { _keyturn, ...variables } = JSON.parse(current.value.text);
  return variables;
}

/** The secret of the example deployment, with its sweep alone and this run's database. */
function resolvedSecret({ at, platform, key, options }: Rotating): ResolvedSecret {
  const file = new URL(`../../lib/examples/${platform}.json`, import.meta.url);
  const deployment = parseDeployment(readFileSync(file, 'utf8'), file.pathname);
  const secret = deployment.secrets[key];
  if (secret === undefined) throw new Error(`${platform} has no ${key}`);
  const sweeps = (secret.reencrypt ?? []).filter(({ kind }) => kind === 'postgres');
  const here = { url: Object.values(at.urls)[0] ?? '', databaseCa: at.ca };
  const reencrypt = sweeps.map((hook) => {
    // Nothing here runs workers over ranges.
    const { ranges: _ranges, ...whole } = { ranges: null, ...reencryptHere(hook, here) };
    return whole;
  });
  const [resolved] = resolveDeployment({
    ...deployment,
    secrets: { [key]: { ...secret, options: { ...secret.options, ...options }, reencrypt } },
  }).secrets;
  if (resolved === undefined) throw new Error(`${platform} has no ${key}`);
  return resolved;
}

async function eventually<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const found = look();
    if (found !== undefined) return found;
    await wall.sleep(20);
  }
  throw new Error('the rotation did not finish');
}
