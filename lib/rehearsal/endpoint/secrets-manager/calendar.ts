/** Which secret's window opens when, and the one timer each of them has. */
import type { WorldClock } from '../wire.ts';
import type { Window } from './schedule.ts';
import type { Secret } from './store.ts';

export class Calendar {
  readonly #clock: WorldClock;
  readonly #fraction: () => number;
  readonly #open: (arn: string) => void;
  readonly #timers = new Map<string, () => void>();
  /** The window that the secret's state named last; once it has opened it must not open again. */
  readonly #followed = new Map<string, Window>();

  /**
   * @param fraction where in the window the rotation starts, 0 (as it opens) up to 1 (as it closes).
   * @param open what to do when a secret's time has come.
   */
  constructor(clock: WorldClock, fraction: () => number, open: (arn: string) => void) {
    this.#clock = clock;
    this.#fraction = fraction;
    this.#open = open;
  }

  /** Plans the window that the secret's state names, unless that has been done. */
  follow(secret: Secret): void {
    const window = secret.rotation?.enabled && secret.deletionAt === null ? secret.rotation.next : null;
    if (window === null) {
      this.forget(secret.arn);
      return;
    }
    const followed = this.#followed.get(secret.arn);
    if (followed?.start === window.start && followed.end === window.end) return;
    this.#followed.set(secret.arn, window);
    if (window.end > this.#clock.now()) this.plan(secret.arn, window);
  }

  /** Plans one window in place of what was planned before. */
  plan(arn: string, window: Window): void {
    this.#timers.get(arn)?.();
    const at = window.start + Math.floor((window.end - window.start) * this.#fraction());
    const delay = Math.max(0, at - this.#clock.now());
    this.#timers.set(
      arn,
      this.#clock.after(delay, () => this.#open(arn)),
    );
  }

  forget(arn: string): void {
    this.#timers.get(arn)?.();
    this.#timers.delete(arn);
    this.#followed.delete(arn);
  }
}
