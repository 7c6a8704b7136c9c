import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import type { SecretDescription } from '../../../lambdas/contract/ports.ts';
import { guards, standingOf } from '../../../lambdas/rotation/guards.ts';

const self = 'arn:aws:lambda:eu-central-1:111122223333:function:rotation';
const token = '11111111-2222-3333-4444-555555555555';

const good: SecretDescription = {
  arn: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/secret-AbCdEf',
  name: 'shop/secret',
  rotationEnabled: true,
  rotationFunctionArn: self,
  labels: new Map([
    ['old', ['AWSCURRENT']],
    [token, ['AWSPENDING']],
  ]),
  tags: new Map(),
  lastRotatedAt: null,
  deleted: false,
};

/** Each breaks one guard and no other; the sentence is what an operator reads. */
const objections = [
  {
    guard: 'not-deleted',
    description: { ...good, deleted: true },
    sentence: 'The secret shop/secret is scheduled for deletion and does not rotate.',
  },
  {
    guard: 'rotation-enabled',
    description: { ...good, rotationEnabled: false },
    sentence: 'Rotation of the secret shop/secret is switched off.',
  },
  {
    guard: 'own-function',
    description: { ...good, rotationFunctionArn: `${self}-of-another` },
    sentence: 'The secret shop/secret is rotated by another function than this one.',
  },
  {
    guard: 'own-function',
    description: { ...good, rotationFunctionArn: null },
    sentence: 'The secret shop/secret is rotated by another function than this one.',
  },
  {
    guard: 'token-known',
    description: { ...good, labels: new Map([['old', ['AWSCURRENT']]]) },
    sentence: `The secret shop/secret has no version ${token} with a label: this rotation was cancelled or abandoned.`,
  },
  {
    guard: 'token-pending',
    description: { ...good, labels: new Map([...good.labels, [token, ['AWSPREVIOUS']]]) },
    sentence: `The version ${token} of the secret shop/secret has not the label AWSPENDING.`,
  },
];

const standing = (description: SecretDescription, checks = guards) =>
  standingOf({ description, token, self }, checks);

describe('guards', () => {
  test('their order is fixed: what is gone comes before what is off, and that before whose turn it is', () => {
    expect(guards.map(({ id }) => id)).toEqual([
      'not-deleted',
      'rotation-enabled',
      'own-function',
      'token-known',
      'token-pending',
    ]);
  });

  test.each(objections)('$guard: $sentence', ({ guard, description, sentence }) => {
    expect(() => standing(description)).toThrow(sentence);
    expect(() => standing(description)).toThrow(KeyturnError);
    // Without this guard nothing else objects: the row above is red when the guard is taken out. A version
    // without a label has not AWSPENDING either, so there the next guard says so in other words.
    const others = guards.filter(
      ({ id }) => id !== guard && !(guard === 'token-known' && id === 'token-pending'),
    );
    expect(() => standing(description, others)).not.toThrow();
  });

  test.each([
    { rotated: self, invoked: `${self}:live` },
    { rotated: `${self}:7`, invoked: self },
  ])('a version or alias of this function is this function: $rotated, $invoked', ({ rotated, invoked }) => {
    expect(
      standingOf({ description: { ...good, rotationFunctionArn: rotated }, token, self: invoked }),
    ).toEqual({
      is: 'pending',
      currentId: 'old',
    });
  });

  test.each([{ labels: ['AWSCURRENT'] }, { labels: ['AWSCURRENT', 'AWSPENDING'] }])(
    'a token whose version has $labels is done',
    ({ labels }) => {
      const description = {
        ...good,
        labels: new Map([
          ['old', ['AWSPREVIOUS']],
          [token, labels],
        ]),
      };
      expect(standing(description)).toEqual({ is: 'current', previousId: 'old' });
    },
  );

  test('a secret without any current version is pending on nothing', () => {
    const description = { ...good, labels: new Map([[token, ['AWSPENDING']]]) };
    expect(standing(description)).toEqual({ is: 'pending', currentId: null });
  });
});
