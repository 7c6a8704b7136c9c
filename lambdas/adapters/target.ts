import { KeyturnError } from '../contract/errors.ts';
import type { Target } from '../contract/target.ts';
import { random } from './platform.ts';
import { postgresTarget } from './postgres/target.ts';

const targets: Readonly<Record<string, Target>> = { postgres: postgresTarget(random) };

/** Read by the generated entries of the classes that use a target: the one of the login's engine. */
export const target: Target = {
  login: async (login) => {
    const found = targets[login.engine];
    if (found !== undefined) return found.login(login);
    throw new KeyturnError({ code: 'Internal', message: `There is no way to a target of ${login.engine}.` });
  },
};
