/** One setting per class: the enumeration runs every class through the same faults. */
import { secretClass as databaseCredential } from '../../lambdas/classes/database-credential.ts';
import { secretClass as guarded } from '../../lambdas/classes/guarded.ts';
import { secretClass as instanceTokenKey } from '../../lambdas/classes/instance-token-key.ts';
import { secretClass as opaqueToken } from '../../lambdas/classes/opaque-token.ts';
import { secretClass as operatorSupplied } from '../../lambdas/classes/operator-supplied.ts';
import { secretClass as sharedToken } from '../../lambdas/classes/shared-token.ts';
import { secretClass as signingKeyCutover } from '../../lambdas/classes/signing-key-cutover.ts';
import { secretClass as signingKeyOverlap } from '../../lambdas/classes/signing-key-overlap.ts';
import { administrator } from '../lambdas/classes/fake-server.ts';
import { bearer, jwt, jwtOfRing } from './application.ts';
import { members } from './fleet.ts';
import type { Setting } from './world.ts';

const url = 'https://shop.example.com/probe';
const answers = { accepted: { status: [200] }, refused: { status: [401] }, times: 1 };
const httpProbe = { kind: 'http', url, headers: { authorization: 'Bearer {TOKEN}' }, ...answers };
const jwtProbe = { kind: 'jwt', url, variable: 'TOKEN', claims: { sub: 'probe' }, ...answers };
const format = { encoding: 'alphanumeric', length: 64 };
const initial = { TOKEN: 'the-first-value-that-somebody-made-by-hand', OTHER: 'a member that is not ours' };

export const settings: readonly Setting[] = [
  {
    secretClass: opaqueToken,
    variable: 'TOKEN',
    options: { variable: 'TOKEN', format },
    probe: httpProbe,
    judge: bearer,
    initial,
  },
  {
    secretClass: sharedToken,
    variable: 'TOKEN',
    options: { variable: 'TOKEN', copies: ['TOKEN_COPY'], format },
    probe: httpProbe,
    judge: bearer,
    initial: { ...initial, TOKEN_COPY: initial.TOKEN },
  },
  {
    secretClass: signingKeyCutover,
    variable: 'TOKEN',
    options: { variable: 'TOKEN', format },
    probe: jwtProbe,
    judge: jwt,
    initial,
  },
  {
    secretClass: signingKeyOverlap,
    variable: 'TOKEN',
    options: { variable: 'TOKEN', accepted: 'ACCEPTED', format, tokenLifeSeconds: 7_200 },
    probe: jwtProbe,
    judge: jwtOfRing,
    initial,
    tokenLifeSeconds: 7_200,
  },
  {
    secretClass: guarded,
    variable: 'TOKEN',
    options: { variable: 'TOKEN', format, breaks: 'every stored hash becomes invalid' },
    probe: httpProbe,
    judge: bearer,
    initial,
  },
  {
    secretClass: instanceTokenKey,
    variable: 'TOKEN',
    options: { variable: 'TOKEN', format },
    probe: jwtProbe,
    // One: what happens between two instances has no order that a fault could break.
    instances: {
      ids: ['instance-1'],
      members: { ...members, token: { ...jwtProbe, claims: { sub: '{id}' } } },
    },
    judge: jwt,
    initial,
  },
  {
    secretClass: operatorSupplied,
    variable: 'TOKEN',
    options: { variable: 'TOKEN' },
    probe: httpProbe,
    judge: bearer,
    initial,
  },
];

export const emptySecret: Setting = {
  secretClass: opaqueToken,
  variable: 'TOKEN',
  options: { variable: 'TOKEN', format },
  probe: httpProbe,
  judge: bearer,
  initial: null,
};

/** An application that cannot use the new value: its rollout is rolled back. */
export const stubbornConsumer: Setting = {
  secretClass: signingKeyCutover,
  variable: 'TOKEN',
  options: { variable: 'TOKEN', format },
  probe: jwtProbe,
  judge: jwt,
  initial,
  stubborn: true,
};

const firstPassword = 'the-first-password-of-somebody';
const login = {
  secretClass: databaseCredential,
  variable: 'DATABASE_URL',
  probe: null,
  judge: bearer,
};

/** Two users that take turns at a server. */
export const alternatingUsers: Setting = {
  ...login,
  options: {
    dsn: 'DATABASE_URL',
    users: ['app_a', 'app_b'],
    owner: 'app_owner',
    admin: { user: administrator.user, password: { secret: 'admin', member: 'password' } },
  },
  database: { users: { app_a: firstPassword } },
  initial: { DATABASE_URL: `postgres://app_a:${firstPassword}@db.example.com/shop`, OTHER: 'not ours' },
};

/** One user that holds two passwords. */
export const dualPassword: Setting = {
  ...login,
  options: { dsn: 'DATABASE_URL', engine: 'mysql', strategy: 'dual-password' },
  database: { users: { app: firstPassword }, tellsTimes: false },
  initial: { DATABASE_URL: `mysql://app:${firstPassword}@db.example.com/shop`, OTHER: 'not ours' },
};
