/** What a rehearsal sees of a login at a database while it rotates: the consumers' own sessions, and the gap. */
import * as z from 'zod/mini';
import type { Stage } from './acts.ts';
import type { Followed } from './follow.ts';
import type { ReportSecret } from './report.ts';
import type { Tally } from './tally.ts';
import type { Traffic } from './traffic.ts';

export interface LoginWatch {
  /** Hears which step or stage runs now. */
  saw(what: string): void;
  /**
   * @param tally closed, with the reports from before the rotation until now
   * @param own token of the rotation that was followed, which may have begun before the watch
   */
  result(tally: Tally, end: Followed['end'], own: string): Promise<SeenOfLogin>;
}

export interface SeenOfLogin extends Pick<ReportSecret, 'statements' | 'logins' | 'gapSeconds'> {
  /** Sentences on what must not have been. */
  readonly failures: readonly string[];
}

/** As the event of a finished rotation says it. */
const Finished = z.object({
  'detail-type': z.literal('Rotation Finished'),
  detail: z.object({ versionId: z.string(), gapSeconds: z.number() }),
});

/** Stages that come once every consumer has restarted. */
const through: ReadonlySet<string> = new Set(['verify', 'drain', 'disable', 'prove', 'complete']);

/** @returns null: the secret is no login at a database. */
export async function watchLogin(stage: Stage, traffic: Traffic): Promise<LoginWatch | null> {
  const { client, secret, secretId } = stage;
  const { key, engine, cutover } = secret.resolved;
  if (engine === null) return null;
  // The endpoint's time may run ahead of the traffic's; later moves do not concern steps that ran before them.
  const ahead = (await client.health()).now - traffic.now();
  const known = new Set((await client.rotations()).filter(isOver).map(({ token }) => token));
  let restarted: number | null = null;

  return {
    saw(what) {
      if (through.has(what)) restarted ??= traffic.now();
    },
    async result(tally, end, own) {
      const runs = (await client.rotations()).filter(
        ({ kind, token, secretArn }) =>
          kind === 'rotation' &&
          (token === own || !known.has(token)) &&
          secretArn.includes(`:secret:${secretId}-`),
      );
      if (cutover) {
        const sets = runs.flatMap(({ attempts }) => attempts.flatMap(({ steps }) => steps));
        const starts = sets
          .filter(({ step }) => step === 'setSecret')
          .map(({ startedAt }) => startedAt - ahead);
        if (starts.length > 0) traffic.beginGap(key, Math.min(...starts));
        // Until then consumers hold the password that is no longer the user's: after a stall, for longer.
        if (end === 'completed' || end === 'superseded') traffic.endGap(key, restarted ?? traffic.now());
      }
      const { statements, failed, logins, refusals } = tally.sessions(key);
      const inGap = refusals.filter((refusal) => traffic.inGap(key, refusal)).length;
      const outside = refusals.length - inGap;
      return {
        statements: { total: statements, failed },
        logins: { total: logins, failed: outside, inGap },
        gapSeconds: cutover ? await gapOf(stage, new Set(runs.map(({ token }) => token))) : null,
        failures: outside === 0 ? [] : [`${outside} of ${logins} new logins with ${key} were refused.`],
      };
    },
  };
}

function isOver({ status }: { readonly status: string }): boolean {
  return status === 'succeeded' || status === 'failed';
}

/** The longest time in which AWSCURRENT did not work, as these rotations have measured it; null: none has. */
async function gapOf({ client }: Stage, tokens: ReadonlySet<string>): Promise<number | null> {
  const { items } = await client.events();
  const gaps = items.flatMap(({ event }) => {
    const finished = Finished.safeParse(event);
    return finished.success && tokens.has(finished.data.detail.versionId)
      ? [finished.data.detail.gapSeconds]
      : [];
  });
  return gaps.length === 0 ? null : Math.max(...gaps);
}
