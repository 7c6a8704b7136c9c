import { generate } from '../contract/format.ts';
import { anyAdmitted } from './candidates.ts';
import { loginOf, refuseOtherTarget, written } from './login.ts';
import type { Strategy } from './strategy.ts';

/** A user changes its own password: between set and finish the current value does not work. */
export const singleUser: Strategy = {
  // The old password is no longer the user's: moving the label alone would lock everybody out.
  way: { plan: 'redeploy-and-prove', cutover: true, restorable: false },
  engines: ['postgres', 'mysql'],
  changesUser: false,
  breaks:
    'logins with the old password, from the moment that the new one is set until their consumers have restarted; open sessions live on',
  oldValue: null,

  check({ users }) {
    return users === undefined
      ? null
      : 'options.users is of the strategy alternating-users, which needs options.admin, too.';
  },

  create: ({ options, random }, current) =>
    written(options, current, { password: generate(options.format, random) }),

  async set(context) {
    const { options, document, current } = context;
    const pending = loginOf(options, document);
    if (current !== null) refuseOtherTarget(options, document, current, false);
    // The current one first: while it works, the pending one does not, since a user has one password. So in a rotation
    // without a fault nobody is refused, and no server counts or locks.
    const first = current === null ? [pending] : [loginOf(options, current), pending];
    const { login, session } = await anyAdmitted(context, first);
    try {
      // An earlier try got as far as the server.
      if (login === pending) return 'found';
      await session.changePassword(pending.password);
      return 'changed';
    } finally {
      await session.end();
    }
  },
};
