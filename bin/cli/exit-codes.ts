import type { ErrorCode } from '../../lambdas/contract/errors.ts';

/** How a command ends, as the shell sees it. */
export const exitCodes = {
  /** Done, and nothing is wrong. */
  ok: 0,
  /** Something is wrong, refused, or not completed; the output says what, and how to go on. */
  wrong: 1,
  /** An argument, a secret's name or the deployment file was refused; nothing was asked of AWS. */
  usage: 2,
  /** AWS refused, or could not be reached. */
  aws: 3,
  /** A fault of Keyturn itself. */
  internal: 4,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'done, and nothing is wrong',
  wrong: 'something is wrong, refused or not completed; the output says how to go on',
  usage: 'an argument or the deployment file was refused; nothing was changed',
  aws: 'AWS refused a call, or could not be reached',
  internal: 'a fault of Keyturn itself',
};

const usageCodes: ReadonlySet<ErrorCode> = new Set(['UsageInvalid', 'DeploymentInvalid']);

export function exitCodeOf(code: ErrorCode): ExitCode {
  if (usageCodes.has(code)) return exitCodes.usage;
  if (code === 'Internal') return exitCodes.internal;
  return code.startsWith('Aws') ? exitCodes.aws : exitCodes.wrong;
}
