import { type ErrorCode, KeyturnError } from '../../contract/errors.ts';

/**
 * AWS's names for what Keyturn tells apart. Matched by name and not by class: `AccessDeniedException` and
 * `ValidationException` are in no service model, and the SDK throws its base class for them.
 */
const meanings: ReadonlyMap<string, { readonly code: ErrorCode; readonly retryable: boolean }> = new Map([
  ['ResourceNotFoundException', { code: 'AwsNotFound', retryable: false }],
  ['ResourceExistsException', { code: 'AwsTokenInUse', retryable: false }],
  // As services of the query protocol name it (ElastiCache).
  ['AccessDenied', { code: 'AwsDenied', retryable: true }],
  ['AccessDeniedException', { code: 'AwsDenied', retryable: true }],
  ['ThrottlingException', { code: 'AwsThrottled', retryable: true }],
  ['Throttling', { code: 'AwsThrottled', retryable: true }],
  ['TooManyRequestsException', { code: 'AwsThrottled', retryable: true }],
  ['LimitExceededException', { code: 'AwsThrottled', retryable: true }],
  ['InternalServiceError', { code: 'AwsUnreachable', retryable: true }],
  ['ResourceNotReadyException', { code: 'AwsUnreachable', retryable: true }],
  ['ServerException', { code: 'AwsUnreachable', retryable: true }],
  ['TimeoutError', { code: 'AwsUnreachable', retryable: true }],
]);

/** By the name of a failure: what to look at, where that is more than its code says. */
const hints: ReadonlyMap<string, string> = new Map([
  // What `aws/connections.ts` ends, in a VPC most of all.
  [
    'TimeoutError',
    'No connection was opened in time: see the interface endpoints of the VPC, or its way to the internet, and the security groups.',
  ],
  // Lambda developer guide, "Lambda Hyperplane ENIs".
  [
    'ResourceNotReadyException',
    'A function in a VPC that nothing has called for two weeks has lost its connection to it, and this call asked for a new one: try again in some minutes.',
  ],
]);

/**
 * Makes one call and translates its failure. The message of AWS is left out: a validation error quotes the
 * parameter that it refuses, and that parameter may be a secret's value.
 */
export async function call<T>(operation: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : 'unknown';
    const hint = hints.get(name);
    const meaning = meanings.get(name) ?? unnamed(cause);
    throw new KeyturnError({
      code: meaning.code,
      message: `${operation} failed with ${nameOf(cause, name)}${requestOf(cause)}.`,
      ...(hint === undefined ? {} : { hint }),
      retryable: meaning.retryable,
      cause,
    });
  }
}

/** A socket error has a system code and no answer from AWS; anything else AWS refused for good. */
function unnamed(cause: unknown): { readonly code: ErrorCode; readonly retryable: boolean } {
  return systemCode(cause) === null
    ? { code: 'AwsRefused', retryable: false }
    : { code: 'AwsUnreachable', retryable: true };
}

function nameOf(cause: unknown, name: string): string {
  return systemCode(cause) ?? name;
}

function systemCode(cause: unknown): string | null {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return null;
  return /^E[A-Z_]+$/.test(cause.code) ? cause.code : null;
}

function requestOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null || !('$metadata' in cause)) return '';
  const metadata = cause.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('requestId' in metadata)) return '';
  return typeof metadata.requestId === 'string' ? ` (request ${metadata.requestId})` : '';
}
