/** Which class handles a secret whose key encrypts stored data, by what the deployment says of that data. */
import { describe, expect, test } from 'vitest';
import { registry } from '../../lambdas/classes/registry.ts';
import type { ClassDefinition } from '../../lambdas/contract/secret-class.ts';
import { classInUse } from '../../lib/deployment/reencryption.ts';

const format = { encoding: 'hex', bytes: 32 };
const codec = { id: 'aes-256-gcm', layout: [{ encoding: 'base64', fields: ['nonce', 'ciphertext', 'tag'] }] };
const options = { variable: 'KEY', format, codec: { ...codec, key: { kind: 'hex' } } };
const reencrypt = [{ kind: 'http' }];
const orGuarded = (['encryption-key', 'envelope-root-key'] as const).map((id) => [id, registry[id]] as const);
const required = (['encryption-keyring', 'versioned-encryption-key'] as const).map(
  (id) => [id, registry[id]] as const,
);
const inUse = (declared: ClassDefinition, given: object = options, how: object = {}) =>
  classInUse('secrets.KEY', { class: declared, options: { ...given } }, how);

describe.each(orGuarded)('%s without reencrypt', (_id, declared) => {
  test('is guarded: what a rotation destroys is said, and only a person can consent to it', () => {
    const { class: used, options: given } = inUse(declared);
    expect([used.id, used.admission]).toEqual(['guarded', 'guarded']);
    expect(given).toEqual({
      variable: 'KEY',
      format,
      breaks: 'all data that KEY encrypted becomes unreadable',
    });
    // What the class takes, and what a person is shown.
    expect(used.parse(given)).toMatchObject({ ok: true });
    expect(used.bind(given).breaks()).toBe('all data that KEY encrypted becomes unreadable');
  });

  test('keeps the rules of the value, and a clause of the deployment’s own', () => {
    const rules = [{ rule: 'anything' }];
    const breaks = 'every stored card number becomes unreadable';
    expect(inUse(declared, { ...options, rules, breaks, next: 'KEY_2' }).options).toEqual({
      variable: 'KEY',
      format,
      rules,
      breaks,
    });
  });

  test('is itself with it', () => {
    expect(inUse(declared, options, { reencrypt })).toEqual({ class: declared, options });
  });
});

describe.each(required)('%s', (id, declared) => {
  test('must have reencrypt', () => {
    expect(() => inUse(declared)).toThrow(
      `secrets.KEY.reencrypt must say how stored data is moved to the new key: the class ${id} retires the old one only when nothing is left under it; it is missing.`,
    );
    expect(inUse(declared, options, { reencrypt })).toEqual({ class: declared, options });
  });
});

test('every class without stored data is itself, and must not have reencrypt', () => {
  const others: ClassDefinition[] = Object.values(registry).filter(
    ({ reencryption }) => reencryption === null,
  );
  expect(others.length + orGuarded.length + required.length).toBe(Object.keys(registry).length);
  for (const other of others) {
    expect(inUse(other)).toEqual({ class: other, options });
    expect(() => inUse(other, options, { reencrypt })).toThrow(
      `secrets.KEY.reencrypt must be left out: no stored data is encrypted under the class ${other.id}.`,
    );
  }
});
