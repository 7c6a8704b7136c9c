import { KeyturnError } from '../contract/errors.ts';

/** A connection string that cannot be read, or that two parsers read differently. */
export function broken(rule: string, hint?: string): KeyturnError {
  return new KeyturnError({
    code: 'DocumentInvalid',
    message: `The connection string ${rule}.`,
    ...(hint === undefined ? {} : { hint }),
  });
}
