import { KeyturnError } from '../../lambdas/contract/errors.ts';

/** What a command throws when it will not do what it was asked for. */
export function refusal(message: string, hint: string): KeyturnError {
  return new KeyturnError({ code: 'OperationRefused', message, hint });
}
