/**
 * Where every effect of the code under test passes: it counts calls, and at the calls that a plan names it
 * injects a fault. One gate belongs to one world.
 */
import { KeyturnError } from '../../lambdas/contract/errors.ts';

export const faultKinds = [
  /** The call does not reach its target. */
  'fail-before',
  /** The call takes effect and its answer is lost. */
  'lose-answer',
  /** The call takes effect twice, as when the SDK repeats a request whose answer was lost. */
  'doubled',
  /** The process dies before the call. */
  'crash-before',
  /** The process dies after the call took effect. */
  'crash-after',
  /** The same invocation arrives a second time, and runs to its end before this call goes on. */
  'duplicate',
  /** Somebody presses "Rotate secret immediately". */
  'second-rotation',
  /** Somebody edits the value in the console. */
  'console-edit',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Call number -> fault. */
export type FaultPlan = ReadonlyMap<number, FaultKind>;

/** Ends a process. What a dead process still tries to do has no effect. */
export class Crash extends Error {}

/** A process of a function; when it crashes, every later call of it fails without effect. */
export interface Process {
  dead: boolean;
}

export interface GateHooks {
  /** Runs after every effect. */
  readonly check: (after: string) => void;
  readonly duplicate: () => Promise<void>;
  readonly secondRotation: () => Promise<void>;
  readonly consoleEdit: () => Promise<void>;
}

export class Gate {
  readonly trace: string[] = [];
  readonly #plan: FaultPlan;
  readonly #hooks: GateHooks;
  /** While a fault's own work goes on, nothing more is injected. */
  #quiet = false;

  constructor(plan: FaultPlan, hooks: GateHooks) {
    this.#plan = plan;
    this.#hooks = hooks;
  }

  async call<T>(name: string, process: Process, effect: () => Promise<T>): Promise<T> {
    if (process.dead) throw new Crash();
    const fault = this.#quiet ? undefined : this.#plan.get(this.trace.length);
    if (!this.#quiet) this.trace.push(name);
    await this.#before(fault, process);
    const result = await effect();
    if (fault === 'doubled') await effect();
    this.#hooks.check(name);
    if (fault === 'lose-answer') throw unreachable(name);
    if (fault === 'crash-after') throw crash(process);
    return result;
  }

  async #before(fault: FaultKind | undefined, process: Process): Promise<void> {
    if (fault === 'fail-before') throw unreachable('the call');
    if (fault === 'crash-before') throw crash(process);
    if (fault === 'duplicate') await this.#quietly(this.#hooks.duplicate);
    if (fault === 'second-rotation') await this.#quietly(this.#hooks.secondRotation);
    if (fault === 'console-edit') await this.#quietly(this.#hooks.consoleEdit);
  }

  async #quietly(work: () => Promise<void>): Promise<void> {
    this.#quiet = true;
    try {
      await work();
    } finally {
      this.#quiet = false;
    }
  }
}

function crash(process: Process): Crash {
  process.dead = true;
  return new Crash();
}

function unreachable(name: string): KeyturnError {
  return new KeyturnError({ code: 'AwsUnreachable', message: `${name} gave no answer.`, retryable: true });
}
