/**
 * What went wrong at a Redis server, as our errors. The driver's error carries the command with its words, a password
 * among them, and the server quotes what it was sent; so nothing of either goes on but the code of the reply.
 */
import { ReplyError } from 'ioredis';
import { KeyturnError } from '../../contract/errors.ts';
import { codeOf, type Meaning, meaningOfCode } from '../server-errors.ts';

/** The driver's types leave it open. */
const Reply = ReplyError as new (...given: never) => Error;

/** By the first word of an error reply (Redis documentation, "RESP protocol specification", simple errors). */
const replies: Readonly<Record<string, Meaning>> = {
  WRONGPASS: {
    code: 'CredentialRejected',
    says: 'does not let the user in with this password',
    hint: 'A user that does not exist, or is off, is answered in the same way.',
  },
  NOAUTH: {
    code: 'CredentialRejected',
    says: 'asks for a login',
    hint: 'The session has none any more: its user may have been removed.',
  },
  NOPERM: {
    code: 'PrivilegeMissing',
    says: 'does not allow that to this user',
    hint: 'Give the user that right (ACL SETUSER), or name options.admin.',
  },
  DENIED: {
    code: 'TargetRefused',
    says: 'runs in protected mode and takes nobody from here',
    hint: 'Give its default user a password, or bind it to an address.',
  },
  LOADING: { code: 'TargetNotReady', says: 'still loads its data', retryable: true },
  BUSY: { code: 'TargetNotReady', says: 'runs a script and answers nobody', retryable: true },
  MASTERDOWN: { code: 'TargetNotReady', says: 'has lost its primary', retryable: true },
  CLUSTERDOWN: { code: 'TargetNotReady', says: 'is of a cluster that is down', retryable: true },
  TRYAGAIN: { code: 'TargetNotReady', says: 'moves the key to another node', retryable: true },
  READONLY: {
    code: 'TargetReadOnly',
    says: 'takes no writes',
    hint: 'Name the primary endpoint, not that of a replica.',
  },
  MISCONF: {
    code: 'TargetNotReady',
    says: 'takes no writes, since it cannot save its data',
    hint: 'See its own log, and the space that is left on its disk.',
    retryable: true,
  },
  OOM: { code: 'TargetNotReady', says: 'takes no writes, since its memory is full', retryable: true },
};

/** Errors of the code ERR, which says nothing itself: told apart by how they begin. */
const generic: readonly (readonly [RegExp, Meaning])[] = [
  [
    /^ERR max number of clients/,
    { code: 'TargetFull', says: 'has no connection left (maxclients)', retryable: true },
  ],
  [
    /^ERR (AUTH <password> called without any password|Client sent AUTH, but no password is set)/,
    {
      code: 'TargetRefused',
      says: 'lets its default user in without a password',
      hint: 'Give it the password that the secret holds (requirepass, or ACL SETUSER default), then rotate again.',
    },
  ],
  [
    /^ERR wrong number of arguments for 'auth'/i,
    {
      code: 'TargetRefused',
      says: 'knows no users',
      hint: 'Users with two passwords need Redis 6 or newer.',
    },
  ],
  [
    /^ERR (DB index is out of range|invalid DB index)/,
    { code: 'DatabaseMissing', says: 'has no database of that number' },
  ],
  [
    /^ERR unknown (command|subcommand)/i,
    {
      code: 'TargetRefused',
      says: 'does not know a command that is needed here',
      hint: 'Users with two passwords need Redis 6 or newer; a service that takes away ACL or CONFIG has an API of its own.',
    },
  ],
];

const lost: Meaning = { code: 'TargetUnreachable', says: 'cannot be reached', retryable: true };

/** Messages of the driver that come without a code. */
const driverMessages: Readonly<Record<string, Meaning>> = {
  'Connection is closed.': { code: 'TargetUnreachable', says: 'lost the connection', retryable: true },
  'Command timed out': {
    code: 'TargetUnreachable',
    says: 'did not answer a command in time; whether it ran is not known',
    retryable: true,
  },
};

/**
 * @param target what the sentence calls the server.
 * @returns an error without a cause: the driver's may hold values.
 */
export function redisError(caught: unknown, target: string): KeyturnError {
  if (caught instanceof KeyturnError) return caught;
  const reply = replyOf(caught);
  if (reply !== null) return replyError(reply, target);
  const code = codeOf(caught);
  const text = caught instanceof Error ? caught.message : '';
  const meaning =
    meaningOfCode(code) ?? (Object.hasOwn(driverMessages, text) ? driverMessages[text] : undefined) ?? lost;
  return errorOf(meaning, code ?? 'no code', target);
}

/** As `redisError`, of the text of an error reply. */
export function replyError(reply: string, target: string): KeyturnError {
  const word = /^[A-Z]{2,20}\b/.exec(reply)?.[0] ?? 'no code';
  const meaning = Object.hasOwn(replies, word)
    ? replies[word]
    : generic.find(([pattern]) => pattern.test(reply))?.[1];
  return errorOf(meaning ?? { code: 'TargetRefused', says: 'refused a command' }, word, target);
}

/** The error reply as it was sent; null: it is none. For telling apart only, since it may quote what was sent. */
export function replyOf(caught: unknown): string | null {
  // Not by its name, which is that of its class: a bundle's are minified.
  return caught instanceof Reply ? caught.message : null;
}

function errorOf({ code, says, hint, retryable }: Meaning, reason: string, target: string): KeyturnError {
  return new KeyturnError({
    code,
    message: `${target} ${says} (${reason}).`,
    ...(hint === undefined ? {} : { hint }),
    retryable: retryable ?? false,
  });
}
