/** HS256 tokens as the platforms' documents describe them: one key signs and verifies. */
// By their own paths: all of jose takes a fifth of a task's start.
import { SignJWT } from 'jose/jwt/sign';
import { jwtVerify } from 'jose/jwt/verify';

/**
 * @typedef {object} Tokens
 * @property {(claims: Record<string, unknown>, lifetime: number, age?: number) => Promise<string>} issue lifetime
 *   in ms, and how many ms ago it was issued: 0 unless the token is older than the platform
 * @property {(token: string | null) => Promise<import('jose').JWTPayload | null>} verify claims, or null when
 *   the token is missing, expired, or signed with another key
 */

/**
 * @param {string} key its characters are the key's bytes
 * @returns {Tokens}
 */
export function tokensOf(key) {
  const bytes = new TextEncoder().encode(key);
  return {
    async issue(claims, lifetime, age = 0) {
      const issuedAt = Math.floor((Date.now() - age) / 1000);
      return (
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
          .setIssuedAt(issuedAt)
          // Whole seconds (RFC 7519 section 2, NumericDate); a shorter life would be over before its first use.
          .setExpirationTime(issuedAt + Math.max(1, Math.round(lifetime / 1000)))
          .sign(bytes)
      );
    },
    async verify(token) {
      if (token === null) return null;
      try {
        // A fixed algorithm: the token's own header must not choose it (RFC 8725 section 3.1).
        const { payload } = await jwtVerify(token, bytes, {
          algorithms: ['HS256'],
          requiredClaims: ['sub', 'exp'],
        });
        return payload;
      } catch {
        return null;
      }
    },
  };
}
