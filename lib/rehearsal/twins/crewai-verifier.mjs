/** A service that verifies the tokens that web mints for it: both hold the same key. */
import { serve } from './http-server.mjs';
import { tokensOf } from './tokens.mjs';
import { listeningPort, longEnough, required, settingsOrExit } from './variables.mjs';

/** Characters below which an HS256 key is weak (RFC 7518 section 3.2). */
const leastCharacters = 32;

/**
 * @param {{
 *   twin: string,
 *   variable: string,
 *   routes: Readonly<Record<string, object>>,
 *   more?: Readonly<Record<string, import('./http-server.mjs').Handler>>,
 * }} options what each route answers to a good token, and routes that need none
 */
export function serveVerifier({ twin, variable, routes, more = {} }) {
  const { tokens, port } = settingsOrExit(twin, (environment) => ({
    tokens: tokensOf(longEnough(variable, required(environment, variable), leastCharacters)),
    port: listeningPort(environment, 'PORT', 4000),
  }));
  const guarded = Object.entries(routes).map(([route, body]) => [
    route,
    /** @type {import('./http-server.mjs').Handler} */
    async ({ bearer }) =>
      (await tokens.verify(bearer)) === null
        ? { status: 401, body: { error: 'the token is missing, expired or not ours' } }
        : { status: 200, body },
  ]);
  serve({
    twin,
    port,
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
      ...Object.fromEntries(guarded),
      ...more,
    },
  });
}
