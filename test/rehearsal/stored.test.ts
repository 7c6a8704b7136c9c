/** The judge of a retired key, on a real database: a value that it still opens is found, wherever it is. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDeployment } from '../../lambdas/contract/deployment.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { codecOfColumn } from '../../lambdas/hooks/sweep/columns.ts';
import { resolveDeployment } from '../../lib/deployment/resolve.ts';
import { reencryptHere } from '../../lib/rehearsal/stage-reencryption.ts';
import { openedByRetired } from '../../lib/rehearsal/stored.ts';
import { ocore } from '../../lib/rehearsal/twins/ocore.ts';
import { ringOf, seeded } from '../lambdas/ciphers/rings.ts';
import { storedPlatforms } from './stored-world.ts';

const platform = storedPlatforms();
const variable = 'SSH_ENCRYPTION_KEY';
const second = 'the-second-key-of-at-least-thirty-two-characters';
const documentWith = (key: string) => new Sensitive(JSON.stringify({ [variable]: key }));

test('every stored value is tried, and with none, or none retired, nothing is proven', async () => {
  const at = await platform(ocore);
  const first = at.initial[variable] ?? '';
  const example = JSON.parse(
    readFileSync(new URL('../../lib/examples/ocore-encryption.json', import.meta.url), 'utf8'),
  );
  const { secrets, consumers, ...rest } = example;
  const reencrypt = secrets[variable].reencrypt.map((hook: Parameters<typeof reencryptHere>[0]) =>
    reencryptHere(hook, { url: '', databaseCa: at.ca }),
  );
  const here = { ...rest, consumers, secrets: { [variable]: { ...secrets[variable], reencrypt } } };
  const [resolved] = resolveDeployment(parseDeployment(JSON.stringify(here), 'here.json')).secrets;
  if (resolved === undefined) throw new Error('the example has no secret');
  const objection = (before: string, current: string) =>
    openedByRetired(
      { before: documentWith(before), current: documentWith(current) },
      resolved,
      async () => new Sensitive(at.world.databaseUrl?.('ocore') ?? ''),
    );
  const rows = await at.sql('SELECT id, credential FROM ssh_credentials ORDER BY id');
  expect(await objection(first, second)).toBe(
    `${rows.length} values of ssh_credentials.credential are still opened by a key that was retired.`,
  );

  const codec = codecOfColumn(secrets[variable].reencrypt[0].columns[0]);
  const cipher = codec.bind(ringOf(second, first), seeded(2), { now: () => new Date() });
  const move = async ({ id, credential }: Record<string, unknown>) => {
    const moved = cipher.rewrite(credential as Buffer, {});
    if (moved.is !== 'rewritten') throw new Error(`the codec says ${moved.is}`);
    await at.sql('UPDATE ssh_credentials SET credential = $2 WHERE id = $1', [id, moved.stored]);
  };
  const [last, ...others] = rows.toReversed();
  for (const row of others) await move(row);
  expect(await objection(first, second)).toMatch(/^1 values of /);
  if (last !== undefined) await move(last);
  expect(await objection(first, second)).toBeNull();
  expect(await objection(second, second)).toBe('No key was retired, so that none could be proven useless.');
  await at.sql('DELETE FROM ssh_credentials');
  expect(await objection(first, second)).toMatch(/^Nothing was seen in /);
});
