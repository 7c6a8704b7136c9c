/** What the machine itself gives: time, randomness, a log. */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock, Log, Random } from '../contract/ports.ts';

export const clock: Clock = {
  now: () => new Date(),
  sleep: async (milliseconds) => {
    await wait(milliseconds);
  },
};

export const random: Random = { bytes: (count) => randomBytes(count) };

/** One line of JSON. The type of a line holds every field that may be printed; nothing else is. */
export const log: Log = ({ message, secret, versionId, step, stage, consumer, code, count }) => {
  console.log(JSON.stringify({ message, secret, versionId, step, stage, consumer, code, count }));
};
