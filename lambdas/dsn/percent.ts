import { broken } from './broken.ts';

/** Everything but the unreserved characters of RFC 3986 section 2.3, so that no parser sees a sign of its own. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * A plus sign stays one, as libpq has it.
 *
 * @throws KeyturnError DocumentInvalid
 */
export function percentDecode(text: string, what: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    // Without the cause: it is thrown for this text.
    throw broken(
      `must be percent-encoded (RFC 3986, UTF-8); its ${what} is not`,
      'Write a percent sign as %25.',
    );
  }
  if (decoded.includes('\0')) throw broken(`must not hold %00; its ${what} does`);
  return decoded;
}
