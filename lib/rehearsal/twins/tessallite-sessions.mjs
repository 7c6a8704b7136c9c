/** Sessions of Tessallite's stand-in: tokens of JWT_SECRET_KEY, which the model service signs and the gateway reads too. */
import { tokensOf } from './tokens.mjs';
import { InvalidVariable, required } from './variables.mjs';

/** The document leaves the life of a token to a setting in the database. Milliseconds. */
const lifetime = 8 * 3_600_000;

/** @type {import('./http-server.mjs').Reply} */
const unauthorized = { status: 401, body: { detail: 'The token is missing, expired or not ours' } };

/**
 * @typedef {import('./http-server.mjs').Received} Received
 * @typedef {import('./http-server.mjs').Reply} Reply
 */

/** @param {import('./variables.mjs').Environment} environment */
export function sessionsOf(environment) {
  const algorithm = environment.JWT_ALGORITHM || 'HS256';
  if (algorithm !== 'HS256') {
    throw new InvalidVariable(
      'JWT_ALGORITHM must be HS256, the only one that this stand-in knows; it is not.',
    );
  }
  const tokens = tokensOf(required(environment, 'JWT_SECRET_KEY'));
  return {
    /**
     * @param {string} email
     * @param {'user' | 'system_admin'} role
     */
    begin: (email, role) => tokens.issue({ sub: email, role }, lifetime),
    /**
     * For requests with a session.
     *
     * @param {(claims: import('jose').JWTPayload, received: Received) => Promise<Reply>} then
     * @returns {import('./http-server.mjs').Handler}
     */
    within(then) {
      return async (received) => {
        const claims = await tokens.verify(received.bearer);
        return claims === null ? unauthorized : then(claims, received);
      };
    },
  };
}
