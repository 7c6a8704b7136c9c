import type { ConnectedTarget } from '../../contract/target.ts';
import { clock, log } from '../platform.ts';
import { redisTarget } from '../redis/target.ts';

export const connected = (): ConnectedTarget => ({
  engine: 'redis',
  target: redisTarget({ clock, warn: (message) => log({ message }) }),
});
