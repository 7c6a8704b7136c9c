/** The reconciler as an actor of a world: each invocation is a process of its own, and may die at any call. */
import { type ErrorCode, KeyturnError, publicError } from '../../lambdas/contract/errors.ts';
import type { KeyturnEvent } from '../../lambdas/contract/events.ts';
import type { Measurement } from '../../lambdas/contract/metrics.ts';
import type { Clock, Events, Log } from '../../lambdas/contract/ports.ts';
import type { Settings } from '../../lambdas/contract/settings.ts';
import type { ReconcileContext } from '../../lambdas/reconcile/context.ts';
import { reconcile, sweepInput } from '../../lambdas/reconcile/reconcile.ts';
import type { SecretsManager } from '../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import { AwsError, type Caller } from '../../lib/rehearsal/endpoint/wire.ts';
import { fleetPort } from './fleet-port.ts';
import type { Gate, Process } from './gate.ts';
import type { Rollout } from './world.ts';

const functionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:reconcile';
const machineArn = 'arn:aws:states:eu-central-1:111122223333:stateMachine:rollout';
const caller: Caller = {
  accessKeyId: 'reconcile',
  roleArn: 'arn:aws:iam::111122223333:role/reconcile',
  functionArn,
};
const codes: ReadonlyMap<string, ErrorCode> = new Map([['ResourceNotFoundException', 'AwsNotFound']]);

export interface ReconcilerWorld {
  readonly service: SecretsManager;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly events: (process: Process) => Events;
  readonly log: Log;
  readonly rollouts: readonly Rollout[];
  readonly start: (name: string, input: string) => boolean;
}

export class Reconciler {
  readonly measured: Measurement[] = [];
  readonly #world: ReconcilerWorld;
  #deliveries = 0;

  constructor(world: ReconcilerWorld) {
    this.#world = world;
  }

  async sweep(): Promise<void> {
    await this.#invoke(sweepInput);
  }

  /** The rule on the bus: a failed rotation. */
  async hear({ type, detail }: KeyturnEvent, id?: string): Promise<void> {
    this.#deliveries += 1;
    await this.#invoke({ id: id ?? `event-${this.#deliveries}`, 'detail-type': type, detail });
  }

  /** The next sweep makes up for one that failed, so nothing is repeated here. */
  async #invoke(event: unknown): Promise<void> {
    const process: Process = { dead: false };
    const began = this.#world.clock.now().getTime();
    try {
      await reconcile(event, this.#context(process, began));
    } catch (caught) {
      if (!process.dead) this.#world.log({ message: publicError(caught).message });
    }
  }

  #context(process: Process, began: number): ReconcileContext {
    const { service, settings, clock, gate, events, log, rollouts, start } = this.#world;
    const statusOf = ({ end }: Rollout) => {
      if (end === null) return 'RUNNING';
      if (end === 'aborted') return 'ABORTED';
      return end === 'stalled' || end === 'rolled-back' ? 'FAILED' : 'SUCCEEDED';
    };
    const { plan } = settings.secrets[0] ?? { plan: '' };
    return {
      settings,
      self: functionArn,
      stateMachines: new Map([[plan, machineArn]]),
      remaining: () => 900_000 - (clock.now().getTime() - began),
      ports: {
        fleet: fleetPort((operation, input) =>
          gate.call(operation, process, async () => {
            try {
              return { ...(await service.handle(operation, input, caller)) };
            } catch (caught) {
              if (!(caught instanceof AwsError)) throw caught;
              const code = codes.get(caught.code) ?? 'AwsRefused';
              throw new KeyturnError({ code, message: `${operation}: ${caught.code}` });
            }
          }),
        ),
        executions: {
          list: (_machine, status) =>
            gate.call('ListExecutions', process, async () => ({
              executions: rollouts
                .filter((rollout) => statusOf(rollout) === status)
                .map(({ name, startedAt }) => ({ name, startedAt: new Date(startedAt) })),
              next: null,
            })),
        },
        rollouts: {
          start: (_machine, name, input) =>
            gate.call('StartExecution', process, async () => start(name, input)),
        },
        events: events(process),
        clock,
        log,
        metrics: { put: (measurement) => this.measured.push(measurement) },
      },
    };
  }
}
