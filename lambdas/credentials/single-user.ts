import { generate } from '../contract/format.ts';
import { admitted, anyAdmitted } from './candidates.ts';
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
    const { options, document, current, target } = context;
    const pending = loginOf(options, document);
    if (current !== null) refuseOtherTarget(options, document, current, false);
    const found = await admitted(target, pending);
    // An earlier try got as far as the server.
    if (found !== null) {
      await found.end();
      return 'found';
    }
    const session = await anyAdmitted(context, [pending]);
    await session.changePassword(pending.password).finally(() => session.end());
    return 'changed';
  },
};
