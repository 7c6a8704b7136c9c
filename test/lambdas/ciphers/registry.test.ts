import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { codecIds, codecOf } from '../../../lambdas/ciphers/registry.ts';
import { root } from '../../fences/imports.ts';

test('each codec of the registry is the file of its name', () => {
  for (const id of codecIds) {
    expect(codecOf(id)?.id).toBe(id);
    expect(readFileSync(`${root}lambdas/ciphers/${id}.ts`, 'utf8')).toContain('export const codec');
  }
});

test('an id of no codec is undefined', () => {
  expect(codecOf('rot13')).toBeUndefined();
});
