import { KeyturnError } from '../contract/errors.ts';
import type { OldValue } from '../contract/old-value.ts';
import { defineClass } from '../contract/secret-class.ts';
import { administratorLogins, credentialsOf } from '../credentials/administrator.ts';
import { alternatingUsers } from '../credentials/alternating-users.ts';
import { admitted } from '../credentials/candidates.ts';
import { dualPassword } from '../credentials/dual-password.ts';
import { checkCopies, loginOf, variablesOf } from '../credentials/login.ts';
import { brokenRule, Options, type StrategyId } from '../credentials/options.ts';
import { singleUser } from '../credentials/single-user.ts';
import type { Strategy } from '../credentials/strategy.ts';

const strategies: Readonly<Record<StrategyId, Strategy>> = {
  'single-user': singleUser,
  'alternating-users': alternatingUsers,
  'dual-password': dualPassword,
};

/** A login at a database server. */
export const secretClass = defineClass<Options>({
  id: 'database-credential',
  steps:
    'new password (and, where two users take turns, the other user) in every connection string; set makes the server take it, by a verifier; test logs in and checks rights',
  ...singleUser.way,
  way: (options) => strategyOf(options).way,
  otherPlans: ['second-credential'],
  admission: 'free',
  supplied: false,
  actions: ['secretsmanager:ListSecretVersionIds'],
  engine: ({ engine }) => engine,
  credentials: credentialsOf,
  options: Options,

  check(options) {
    const id = strategyIdOf(options);
    if (!strategies[id].engines.includes(options.engine)) {
      return `options.strategy must be one that ${options.engine} has; received "${id}".`;
    }
    return brokenRule(options) ?? strategies[id].check(options);
  },

  variables: (options) => variablesOf(options, strategyOf(options).changesUser),

  breaks: (options) => strategyOf(options).breaks,

  async create(context) {
    const { options, current } = context;
    if (current === null) {
      throw new KeyturnError({
        code: 'SupplyMissing',
        message: 'A database credential is changed by the one before it; the secret has none.',
        hint: 'Store what works now as its first value, then rotate.',
      });
    }
    checkCopies(options, current);
    loginOf(options, current);
    return strategyOf(options).create(context, current);
  },

  set: (context) => strategyOf(context.options).set(context),

  async accepts({ options, document, target }) {
    const session = await admitted(target, loginOf(options, document));
    await session?.end();
    return session !== null;
  },

  logins({ options, document, ...ports }) {
    const own = () => loginOf(options, document);
    return [{ of: 'current value', login: async () => own() }, ...administratorLogins(ports, options, own)];
  },

  async test({ options, document, target }) {
    checkCopies(options, document);
    const session = await target.login(loginOf(options, document));
    const missing = await session.missingRights(options.tables).finally(() => session.end());
    if (missing.length > 0) {
      throw new KeyturnError({
        code: 'PrivilegeMissing',
        message: `The user must have every right that options.tables names; it lacks ${missing.join(', ')}.`,
      });
    }
  },

  oldValue: {
    mark: (context) => oldValueOf(context.options).mark(context),
    uses: (context) => oldValueOf(context.options).uses(context),
    patienceMinutes: (options) => oldValueOf(options).patienceMinutes(options),
    endUses: (context) => oldValueOf(context.options).endUses(context),
    disable: (context) => oldValueOf(context.options).disable(context),
  },
});

function strategyIdOf({ strategy, users, admin }: Options): StrategyId {
  return strategy ?? (users !== undefined && admin !== undefined ? 'alternating-users' : 'single-user');
}

function strategyOf(options: Options): Strategy {
  return strategies[strategyIdOf(options)];
}

/** @throws KeyturnError SettingsInvalid: the plan of a strategy without one must not drain. */
function oldValueOf(options: Options): OldValue<Options> {
  const { oldValue } = strategyOf(options);
  if (oldValue !== null) return oldValue;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The strategy ${strategyIdOf(options)} leaves no old value at the server; its plan must not drain or disable.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
