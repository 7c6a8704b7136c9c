import { KeyturnError } from '../../contract/errors.ts';
import type { RedisClient } from './connect.ts';

/**
 * Users are not replicated: a change at a replica would be lost on the one that serves, and one at the primary does
 * not reach its replicas.
 *
 * @throws KeyturnError TargetReadOnly at a replica.
 */
export async function demandPrimary(client: RedisClient, warn: (sentence: string) => void): Promise<void> {
  const facts = String(await client.send('INFO', 'replication'));
  if (/^role:slave/m.test(facts)) {
    throw new KeyturnError({
      code: 'TargetReadOnly',
      message: `${client.name} is a replica, and users are not replicated.`,
      hint: 'Name the primary endpoint.',
    });
  }
  const replicas = Number(/^connected_slaves:(\d+)/m.exec(facts)?.[1] ?? 0);
  if (replicas > 0) {
    warn(
      `${client.name} has ${replicas} replicas, and users are not replicated: after a failover the new password is not known.`,
    );
  }
}
