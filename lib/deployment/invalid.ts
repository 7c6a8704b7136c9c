import { KeyturnError } from '../../lambdas/contract/errors.ts';

/** A deployment file that breaks a rule: one sentence with the field, the rule and what was received. */
export function invalid(sentence: string): KeyturnError {
  return new KeyturnError({ code: 'DeploymentInvalid', message: sentence });
}
