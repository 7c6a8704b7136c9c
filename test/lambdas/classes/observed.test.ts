import { expect, test } from 'vitest';
import { secretClass } from '../../../lambdas/classes/observed.ts';
import { SecretDocument } from '../../../lambdas/contract/document.ts';

const random = { bytes: (count: number) => new Uint8Array(count) };

test('makes no value, whoever asks', async () => {
  const bound = secretClass.bind({});
  await expect(bound.create({ current: null, supplied: null, random })).rejects.toMatchObject({
    code: 'StepRefused',
  });
});

test('reads the members of a master user whom RDS manages, unless others are named', async () => {
  expect(secretClass.bind({}).variables()).toEqual(['username', 'password']);
  const document = new SecretDocument(new Map([['username', 'admin']]), null);
  await expect(secretClass.bind({}).test(document)).rejects.toThrow('must have the member password');
  await expect(secretClass.bind({ members: ['username'] }).test(document)).resolves.toBeUndefined();
});
