import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { KeyturnError, publicError } from '../../../lambdas/contract/errors.ts';

const canary = 'LEAKME-in-a-message';

describe('what may leave a function', () => {
  test.each([
    ['an error of a parser, which quotes its input', new SyntaxError(`Unexpected token 'L', "${canary}"`)],
    [
      'an error of a driver, with the query in a field',
      Object.assign(new Error('failed'), { query: canary }),
    ],
    ['an error with a cause', new Error('failed', { cause: new Error(canary) })],
    [
      'an error of ours whose cause quotes',
      new KeyturnError({ code: 'ValueRejected', message: 'No.', cause: canary }),
    ],
    ['something that is no error', canary],
  ])('%s: nothing of it', (_what, thrown) => {
    const error = publicError(thrown);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('LEAKME');
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain('LEAKME');
    expect(error.cause).toBeUndefined();
  });

  test('an error of ours keeps its name, its sentence and what to do next', () => {
    const error = publicError(
      new KeyturnError({ code: 'AwsThrottled', message: 'Too many.', hint: 'Wait.', retryable: true }),
    );
    expect(error).toMatchObject({ name: 'AwsThrottled', message: 'Too many. Wait.', retryable: true });
  });

  test('an error of somebody else’s keeps its kind', () => {
    expect(publicError(new TypeError(canary))).toMatchObject({
      name: 'Internal',
      message: 'An unexpected TypeError was thrown; its text is withheld, because it may quote a secret.',
    });
  });
});
