import { ElastiCacheClient } from '@aws-sdk/client-elasticache';
import type { ConnectedTarget } from '../../contract/target.ts';
import { inTime } from '../aws/connections.ts';
import { clock, log } from '../platform.ts';
import { elastiCacheUsers } from '../redis/elasticache.ts';
import { redisTarget } from '../redis/target.ts';

export const connected = (): ConnectedTarget => {
  let client: ElastiCacheClient | undefined;
  const managed = elastiCacheUsers(() => {
    client ??= new ElastiCacheClient(inTime);
    return client;
  }, clock);
  return { engine: 'redis', target: redisTarget({ clock, warn: (message) => log({ message }), managed }) };
};
