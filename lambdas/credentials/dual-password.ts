import { generate } from '../contract/format.ts';
import type { OldValueContext } from '../contract/old-value.ts';
import type { TargetSession, UsesAsked } from '../contract/target.ts';
import { anyAdmitted } from './candidates.ts';
import { loginOf, refuseOtherTarget, written } from './login.ts';
import type { Options } from './options.ts';
import type { Strategy } from './strategy.ts';

/**
 * A user holds the old and the new password side by side, until the old one is unused and dropped ("ALTER USER …
 * RETAIN CURRENT PASSWORD", MySQL 8.0 reference manual, "Password management", dual passwords).
 */
export const dualPassword: Strategy = {
  way: { plan: 'second-credential', cutover: false, restorable: true },
  engines: ['mysql'],
  changesUser: false,
  breaks: null,

  check({ users }) {
    return users === undefined ? null : 'options.users is of the strategy alternating-users.';
  },

  create: ({ options, random }, current) =>
    written(options, current, { password: generate(options.format, random) }),

  async set(context) {
    const { options, document, current } = context;
    const pending = loginOf(options, document);
    if (current !== null) refuseOtherTarget(options, document, current, false);
    // The pending one first: to add it once more would drop the old one, since the server holds two at most.
    const first = current === null ? [pending] : [pending, loginOf(options, current)];
    const { login, session } = await anyAdmitted(context, first);
    try {
      if (login === pending) return 'found';
      await session.addPassword(pending.user, pending.password);
      return 'changed';
    } finally {
      await session.end();
    }
  },

  oldValue: {
    patienceMinutes: ({ endSessionsAfterMinutes }) => endSessionsAfterMinutes,
    mark: async ({ options, document, target }) => (await target.mark?.(loginOf(options, document))) ?? null,
    uses: (context) => asCurrent(context, (session) => session.uses(asked(context))),
    endUses: (context) => asCurrent(context, (session) => session.endUses(asked(context))),
    disable: (context) =>
      asCurrent(context, (session) => {
        const { user, password } = loginOf(context.options, context.document);
        return session.keepOnly(user, password);
      }),
  },
};

/** A session says who opened it, not with which of two passwords: what is older than the new one used the old one. */
function asked({ options, document, since }: OldValueContext<Options>): UsesAsked {
  return { user: loginOf(options, document).user, openedBefore: since };
}

async function asCurrent<T>(
  { options, document, target }: OldValueContext<Options>,
  work: (session: TargetSession) => Promise<T>,
): Promise<T> {
  const session = await target.login(loginOf(options, document));
  return work(session).finally(() => session.end());
}
