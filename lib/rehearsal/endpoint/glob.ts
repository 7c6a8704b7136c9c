/** IAM's wildcards: `*` is any run of characters (also `/` and `:`), `?` is exactly one. */

/** A regular expression that matches the whole text as IAM would; upper and lower case differ. */
export function glob(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '[\\s\\S]*').replaceAll('?', '[\\s\\S]')}$`);
}
