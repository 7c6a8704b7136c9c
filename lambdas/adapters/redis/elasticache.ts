/**
 * Passwords of an ElastiCache user, which its own API keeps: ACL SETUSER is taken away there. The API is given the
 * values in clear, over TLS; it has no form for hashes (API reference, "ModifyUser").
 */
import {
  DescribeUsersCommand,
  type ElastiCacheClient,
  ModifyUserCommand,
  type User,
} from '@aws-sdk/client-elasticache';
import { KeyturnError } from '../../contract/errors.ts';
import type { Clock } from '../../contract/ports.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import { call } from '../aws/errors.ts';

/** A user of the API. */
export interface ManagedUser {
  /** Its id in the API, which is not its name. */
  readonly userId: string;
  /** The name that it logs in with. */
  readonly user: string;
}

export interface ManagedUsers {
  /** How many passwords it has. @throws KeyturnError when it logs in by none, or is another user. */
  count(managed: ManagedUser): Promise<number>;
  /** Gives it these passwords, and no others; done when every cache has them. */
  set(managed: ManagedUser, passwords: readonly Sensitive[]): Promise<void>;
}

/**
 * Milliseconds within which a change is usually with every cache, and those that somebody else's is waited for before
 * ours, at each of two looks: a rotation function has 60 s for all.
 */
const appliedWithin = 35_000;
const freeWithin = 10_000;
const pause = 1_000;

export function elastiCacheUsers(client: () => ElastiCacheClient, clock: Clock): ManagedUsers {
  const described = async ({ userId, user }: ManagedUser): Promise<User> => {
    const { Users = [] } = await asked('DescribeUsers', userId, () =>
      client().send(new DescribeUsersCommand({ UserId: userId })),
    );
    const found = Users.find((one) => one.UserId === userId.toLowerCase());
    if (found === undefined) throw noSuchUser(userId);
    if (found.UserName === user) return found;
    throw refused(
      `The ElastiCache user ${userId} must be the one that the secret logs in as, ${user}; it is another.`,
    );
  };
  const active = async (managed: ManagedUser, within: number): Promise<User> => {
    const until = clock.now().getTime() + within;
    for (;;) {
      const found = await described(managed);
      if (found.Status === 'active') return found;
      if (found.Status !== 'modifying') {
        throw refused(
          `The ElastiCache user ${managed.userId} must be active; it is ${found.Status ?? 'unknown'}.`,
        );
      }
      if (clock.now().getTime() >= until) throw stillModifying(managed.userId);
      await clock.sleep(pause);
    }
  };
  return {
    async count(managed) {
      const { Authentication } = await active(managed, freeWithin);
      if (Authentication?.Type === 'password') return Authentication.PasswordCount ?? 0;
      throw refused(
        `The ElastiCache user ${managed.userId} must log in by password; its authentication is ${Authentication?.Type ?? 'unknown'}.`,
      );
    },
    async set(managed, passwords) {
      await active(managed, freeWithin);
      await asked('ModifyUser', managed.userId, () =>
        client().send(
          new ModifyUserCommand({
            UserId: managed.userId,
            AuthenticationMode: { Type: 'password', Passwords: passwords.map((one) => one.reveal()) },
          }),
        ),
      );
      await active(managed, appliedWithin);
    },
  };
}

/** Errors of the user API by their names, which end in Fault or Exception; the others are as everywhere. */
async function asked<T>(operation: string, userId: string, send: () => Promise<T>): Promise<T> {
  try {
    return await call(operation, send);
  } catch (caught) {
    const cause = caught instanceof KeyturnError ? caught.cause : null;
    const name = cause instanceof Error ? cause.name.replace(/(Fault|Exception)$/, '') : '';
    switch (name) {
      case 'UserNotFound':
        throw noSuchUser(userId);
      case 'InvalidUserState':
        throw stillModifying(userId);
      case 'InvalidParameterValue':
        throw new KeyturnError({
          code: 'ValueRejected',
          message: `ElastiCache refuses a password of the user ${userId}, or its id.`,
          hint: 'A password has 16 to 128 printable characters: see options.format.',
        });
      case 'InvalidParameterCombination':
      case 'ServiceLinkedRoleNotFound':
        throw refused(`ElastiCache refuses to change the user ${userId} (${name}).`);
      default:
        throw caught;
    }
  }
}

function noSuchUser(userId: string): KeyturnError {
  return new KeyturnError({
    code: 'AwsNotFound',
    message: `ElastiCache has no user with the id ${userId} in this account and Region.`,
    hint: 'options.elasticache.userId is the id of the user, not its name.',
  });
}

function stillModifying(userId: string): KeyturnError {
  return new KeyturnError({
    code: 'TargetNotReady',
    message: `ElastiCache still applies a change to the user ${userId}.`,
    retryable: true,
  });
}

function refused(message: string): KeyturnError {
  return new KeyturnError({ code: 'TargetRefused', message });
}
