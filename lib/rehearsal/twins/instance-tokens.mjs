/** The tokens by which deployed automations call the platform back: what web and worker know of them. */

import { tokensOf } from './tokens.mjs';
import { InvalidVariable } from './variables.mjs';

const hour = 3_600_000;

/** Lives of an access and a refresh token in milliseconds, as the platform's document gives them. */
export const accessLifetime = 24 * hour;
export const refreshLifetime = 365 * 24 * hour;

/** The re-mint job covers refresh tokens that end within this many milliseconds. */
export const remintWithin = 48 * hour;

/** The document's floor: 64 characters in each of its two formats. A key that people made may be shorter. */
const leastCharacters = 32;

/** @param {import('./variables.mjs').Environment} environment */
export function instanceTokens(environment) {
  const key = environment.DEPLOYMENT_INSTANCE_JWT_SECRET ?? '';
  if (key !== '' && key.length < leastCharacters) {
    throw new InvalidVariable(
      `DEPLOYMENT_INSTANCE_JWT_SECRET must have at least ${leastCharacters} characters; it has ${key.length}.`,
    );
  }
  // Unset, the platform mints no refresh tokens; nobody's token verifies then, whatever it was signed with.
  const tokens = key === '' ? null : tokensOf(key);
  return {
    /** @param {string} id @param {number} [age] milliseconds */
    refreshToken: async (id, age) => tokens?.issue({ sub: id, use: 'refresh' }, refreshLifetime, age) ?? null,
    /** @param {string} id */
    accessToken: async (id) => tokens?.issue({ sub: id, use: 'access' }, accessLifetime) ?? null,
    /** @param {string | null} token */
    verify: async (token) => (tokens === null ? null : tokens.verify(token)),
  };
}

/**
 * A call from one service of the platform to another.
 *
 * @param {string} base
 * @param {string} route method and path
 * @param {{ body?: object, bearer?: string }} [given]
 * @returns {Promise<{ status: number, body: any }>}
 */
export async function inside(base, route, { body, bearer } = {}) {
  const [method, path] = route.split(' ');
  const answer = await fetch(new URL(path, base), {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: answer.status, body: await answer.json() };
}
