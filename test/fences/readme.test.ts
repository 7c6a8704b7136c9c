import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { classIds } from '../../lambdas/classes/registry.ts';
import { withGenerated } from '../../lib/documentation.ts';
import { root } from './imports.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the README’s tables are those of the registry, the plans and the catalog (else: npm run readme)', () => {
  expect(readme).toBe(withGenerated(readme));
});

test('the README has a row for every class', () => {
  for (const id of classIds) expect(readme).toContain(`| \`${id}\` |`);
});

test('the README’s commands are scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const named = [...readme.matchAll(/npm run ([a-z]+)/g)].map((match) => match[1]);
  expect(named.length).toBeGreaterThan(2);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
});
