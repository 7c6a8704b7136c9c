/**
 * In place of the package `debug`, which prints every command of ioredis with its words, a password among them, when the
 * environment of the function asks for it (DEBUG=ioredis:*).
 */
export default function debug(): { readonly enabled: false } {
  return { enabled: false };
}
