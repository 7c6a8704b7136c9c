/** Keys that stored data is encrypted with, through every phase: which keys there are, and which of them writes. */
import { describe, expect, test } from 'vitest';
import { classOf } from '../../../lambdas/classes/registry.ts';
import { type KeyRing, keyId } from '../../../lambdas/contract/ciphers.ts';
import type { SecretDocument } from '../../../lambdas/contract/document.ts';
import type { BoundClass } from '../../../lambdas/contract/secret-class.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { seeded } from '../ciphers/rings.ts';
import { documentOf, following, gcm, membersOf } from './data-key-documents.ts';

const fernet = { encoding: 'fernet' };
const hex = { encoding: 'hex', bytes: 32 };
const random = seeded(1);
const fernetKey = (fill: number) => `${Buffer.alloc(32, fill).toString('base64url')}=`;

function bind(id: string, options: Readonly<Record<string, unknown>>): BoundClass {
  const definition = classOf(id);
  if (definition === undefined) throw new Error(`no class ${id}`);
  return definition.bind(options);
}

/** The phases that are there for every class of data keys. */
function phasesOf({ phases }: BoundClass) {
  if (phases?.data == null) throw new Error('no data keys');
  return { ...phases, data: phases.data };
}

const idOf = (text: string) => keyId(new Sensitive(text));
const ids = ({ write, others }: KeyRing) => [write.id, ...others.map(({ id }) => id)];

async function introduced(bound: BoundClass, current: SecretDocument): Promise<SecretDocument> {
  return following(current, await bound.create({ current, supplied: null, random }));
}

const versioned = {
  variable: 'KEY',
  version: 'VERSION',
  previous: 'PREVIOUS',
  previousVersion: 'PREVIOUS_VERSION',
  format: hex,
  codec: gcm('hex', true),
};

const a = fernetKey(1);
const aHex = 'ab'.repeat(32);
const aText = 'A'.repeat(32);

/** The key in use, in a document of each kind. */
const kinds = [
  [
    'encryption-keyring, two variables',
    'encryption-keyring',
    { variable: 'KEY', accepted: 'OLD', format: fernet },
    { KEY: a, OLD: '' },
    a,
  ],
  [
    'encryption-keyring, one list that writes with the first',
    'encryption-keyring',
    { variable: 'KEY', format: fernet },
    { KEY: a },
    a,
  ],
  [
    'encryption-keyring, one list that writes with the last',
    'encryption-keyring',
    { variable: 'KEY', format: fernet, writes: 'last' },
    { KEY: a },
    a,
  ],
  ['versioned-encryption-key', 'versioned-encryption-key', versioned, { KEY: aHex, VERSION: '4' }, aHex],
  [
    'envelope-root-key',
    'envelope-root-key',
    { variable: 'KEY', format: { encoding: 'alphanumeric', length: 32 }, codec: gcm('raw') },
    { KEY: aText },
    aText,
  ],
  [
    'encryption-key',
    'encryption-key',
    { variable: 'KEY', format: hex, codec: gcm('hex') },
    { KEY: aHex },
    aHex,
  ],
] as const;

describe.each(kinds)('%s', (_name, id, options, members, key) => {
  const bound = bind(id, options);
  const phases = phasesOf(bound);
  const current = documentOf({ ...members, OTHER: 'stays' });
  const old = idOf(key);

  test('create adds a key beside the one in use, which goes on to be used', async () => {
    const first = await introduced(bound, current);
    const [used, ...others] = ids(phases.data.ring(first, true));
    expect(used).toBe(old);
    expect(others).toHaveLength(1);
    expect(phases.first()).toBe('introduced');
    await expect(bound.test(first)).resolves.toBeUndefined();
  });

  test('promote uses it and keeps the former one; retire takes that away; nothing else changes', async () => {
    const first = await introduced(bound, current);
    const promoted = following(first, phases.promote(first));
    const added = ids(phases.data.ring(first, true))[1];
    expect(ids(phases.data.ring(promoted, false))).toEqual([added, old]);
    expect(ids(phases.data.ring(promoted, true))).toEqual([added, old]);
    const retired = following(promoted, phases.retire(promoted));
    expect(ids(phases.data.ring(retired, false))).toEqual([added]);
    for (const document of [promoted, retired]) {
      await expect(bound.test(document)).resolves.toBeUndefined();
      expect(membersOf(document).OTHER).toBe('stays');
    }
  });

  test('withdraw gives back what was there before', async () => {
    const first = await introduced(bound, current);
    const withdrawn = following(first, phases.data.withdraw(first));
    expect(ids(phases.data.ring(withdrawn, true))).toEqual([old]);
    expect(membersOf(withdrawn)).toMatchObject({ KEY: key });
  });

  test('a stage that runs twice writes the same', async () => {
    const first = await introduced(bound, current);
    expect(phases.promote(first)).toEqual(phases.promote(first));
    expect(phases.data.withdraw(first)).toEqual(phases.data.withdraw(first));
  });

  test('a value that forgot the key in use is refused, by its test against the current one', async () => {
    const first = await introduced(bound, current);
    await expect(bound.keeps?.({ document: first, current })).resolves.toBeUndefined();
    const promoted = following(first, phases.promote(first));
    const forgetful = following(promoted, phases.retire(promoted));
    await expect(bound.test(forgetful)).resolves.toBeUndefined();
    const error = await bound.keeps?.({ document: forgetful, current }).catch((caught) => caught);
    expect(error).toMatchObject({
      code: 'ValueRejected',
      message: `The value of KEY must open what the key ${old} sealed; it does not.`,
    });
    expect(error.message).not.toContain(key);
  });

  test('an empty key counts as none: nothing can be under it', async () => {
    const first = await introduced(bound, documentOf({ ...members, KEY: ' ' }));
    expect(ids(phases.data.ring(first, false))).toHaveLength(1);
    await expect(bound.test(first)).resolves.toBeUndefined();
  });
});

describe('which key writes while the data is moved', () => {
  test.each(['envelope-root-key', 'encryption-key'])(
    '%s: the one that waits, and on the way back the one in use',
    async (id) => {
      const [, , options, members, key] = kinds.find(([, kind]) => kind === id) ?? kinds[5];
      const bound = bind(id, options);
      const first = await introduced(bound, documentOf(members));
      const { data } = phasesOf(bound);
      expect(ids(data.ring(first, true))[0]).toBe(idOf(key));
      expect(ids(data.ring(first, false))).toEqual(ids(data.ring(first, true)).reverse());
    },
  );

  test('versioned-encryption-key: both keys keep their numbers', async () => {
    const bound = bind('versioned-encryption-key', versioned);
    const first = await introduced(bound, documentOf({ KEY: aHex, VERSION: '4' }));
    const phases = phasesOf(bound);
    const promoted = following(first, phases.promote(first));
    const numbers = ({ write, others }: KeyRing) => [write, ...others].map(({ version }) => version);
    expect(numbers(phases.data.ring(first, false))).toEqual([4, 5]);
    expect(numbers(phases.data.ring(promoted, false))).toEqual([5, 4]);
    expect(membersOf(following(promoted, phases.retire(promoted)))).toMatchObject({
      VERSION: '5',
      PREVIOUS: '',
      PREVIOUS_VERSION: '0',
    });
  });
});

describe('one list', () => {
  const [b, c] = [fernetKey(2), fernetKey(3)];

  test.each([
    ['first', [a, b, c].join(',')],
    ['last', [c, b, a].join(',')],
  ] as const)('that writes with the %s: the order is kept in every phase', async (writes, list) => {
    const bound = bind('encryption-keyring', { variable: 'KEY', format: fernet, writes });
    const phases = phasesOf(bound);
    const inOrder = (document: SecretDocument) => {
      const keys = membersOf(document).KEY?.split(',') ?? [];
      return (writes === 'first' ? keys : keys.reverse()).map(idOf);
    };
    const first = await introduced(bound, documentOf({ KEY: list }));
    const added = inOrder(first)[1] ?? '';
    expect(inOrder(first)).toEqual([idOf(a), added, idOf(b), idOf(c)]);
    const promoted = following(first, phases.promote(first));
    expect(inOrder(promoted)).toEqual([added, idOf(a), idOf(b), idOf(c)]);
    expect(inOrder(following(promoted, phases.retire(promoted)))).toEqual([added]);
    expect(inOrder(following(first, phases.data.withdraw(first)))).toEqual([a, b, c].map(idOf));
  });

  test('without introduce the new key writes at once, and every older one is kept', async () => {
    const bound = bind('encryption-keyring', { variable: 'KEY', format: fernet, introduce: false });
    const phases = phasesOf(bound);
    const first = await introduced(bound, documentOf({ KEY: [a, b].join(',') }));
    expect(phases.first()).toBe('promoted');
    expect(ids(phases.data.ring(first, false)).slice(1)).toEqual([idOf(a), idOf(b)]);
  });
});

describe('a second rotation before the end of the first', () => {
  test('a ring takes it, never drops a key, and never grows above 8', async () => {
    const bound = bind('encryption-keyring', { variable: 'KEY', accepted: 'OLD', format: fernet });
    const phases = phasesOf(bound);
    let document = documentOf({ KEY: a, OLD: '' });
    const known = new Set([idOf(a)]);
    for (let count = 2; count <= 8; count += 1) {
      document = await introduced(bound, document);
      for (const id of ids(phases.data.ring(document, true))) known.add(id);
      if (count % 2 === 0) document = following(document, phases.promote(document));
      expect(new Set(ids(phases.data.ring(document, true)))).toEqual(known);
      expect(known.size).toBe(count);
    }
    await expect(introduced(bound, document)).rejects.toMatchObject({ code: 'StepRefused' });
  });

  test.each([
    ['versioned-encryption-key', 'PREVIOUS'],
    ['envelope-root-key', 'KEY_NEXT'],
    ['encryption-key', 'KEY_NEXT'],
  ])('%s refuses it, introduced or promoted, and takes it once the old key is gone', async (id, held) => {
    const [, , options, members] = kinds.find(([, kind]) => kind === id) ?? kinds[5];
    const bound = bind(id, options);
    const phases = phasesOf(bound);
    const first = await introduced(bound, documentOf(members));
    const promoted = following(first, phases.promote(first));
    await expect(introduced(bound, first)).rejects.toMatchObject({
      code: 'StepRefused',
      message: `${held} must be empty before a rotation begins; it still holds a key that data may be under.`,
    });
    await expect(introduced(bound, promoted)).rejects.toMatchObject({ code: 'StepRefused' });
    await expect(introduced(bound, following(promoted, phases.retire(promoted)))).resolves.toBeDefined();
  });
});
