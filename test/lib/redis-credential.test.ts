/** A Redis user whose passwords ElastiCache keeps: which functions may change them. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { example, templatesOf } from './synth.ts';
import { object } from './template.ts';

vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: () => mkdtempSync(join(tmpdir(), 'keyturn-empty-')),
}));

const [template] = templatesOf(example('kaireon-redis'));

it('the functions that set and disable may change exactly this user, and no others may', () => {
  const given = (id: string) =>
    (template?.statementsOf(`keyturn-kaireon-redis-${id}`) ?? []).filter((statement) =>
      JSON.stringify(object(statement).Action).includes('elasticache:'),
    );
  const statement = {
    Effect: 'Allow',
    Action: ['elasticache:DescribeUsers', 'elasticache:ModifyUser'],
    Resource: 'arn:<Partition>:elasticache:<Region>:<AccountId>:user:kaireon-default',
  };
  for (const id of ['redis-credential', 'disable']) expect([id, given(id)]).toEqual([id, [statement]]);
  for (const id of ['settle', 'redeploy', 'verify', 'drain', 'prove', 'complete', 'roll-back', 'stall']) {
    expect([id, given(id)]).toEqual([id, []]);
    expect(template?.statementsOf(`keyturn-kaireon-redis-${id}`).length).toBeGreaterThan(0);
  }
});
