import * as z from 'zod/mini';
import { defineClass } from '../contract/secret-class.ts';
import { newValue } from './generated-value.ts';
import { checkHmacKey, formatBreaksAlgorithm, hmacKey } from './hmac-key.ts';

const Options = z.strictObject({
  ...hmacKey,
  /** Life of an access token in hours, 1–8,760. Default: 24. */
  accessTokenHours: z._default(z.int().check(z.minimum(1), z.maximum(8_760)), 24),
  /** Life of a refresh token in days, 1–3,650. Default: 365. */
  refreshTokenDays: z._default(z.int().check(z.minimum(1), z.maximum(3_650)), 365),
});

/**
 * An HMAC key that signs the tokens by which deployed instances call their platform back. A rotation voids every
 * token handed out, and an instance gets a new one only when it is redeployed: so each of them is.
 */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'instance-token-key',
  steps: 'refused without a consent that has not expired; then as `signing-key-cutover`',
  plan: 'redeploy-instances',
  admission: 'guarded',
  cutover: true,
  supplied: false,
  restorable: true,
  actions: [],
  options: Options,
  check: ({ accessTokenHours, refreshTokenDays, ...options }) =>
    refreshTokenDays * 24 > accessTokenHours
      ? formatBreaksAlgorithm(options)
      : `options.refreshTokenDays must be longer than options.accessTokenHours; ${refreshTokenDays} days are not longer than ${accessTokenHours} hours.`,
  variables: ({ variable }) => [variable],
  breaks: ({ variable, accessTokenHours, refreshTokenDays }) =>
    `every refresh token (life ${refreshTokenDays} days) and access token (life ${accessTokenHours} hours) that ${variable} signed ends at once, and each deployed instance fails until it is redeployed`,

  async create({ options, random }) {
    return newValue(options, random);
  },

  set: null,

  async test({ options, document }) {
    checkHmacKey(options, document.value(options.variable));
  },
});
