/** @returns undefined for what is not JSON; the parser's own message would quote it. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The member that a JSON pointer (RFC 6901) names.
 *
 * @param pointer begins with a slash.
 * @returns undefined where there is none.
 */
export function atPointer(value: unknown, pointer: string): unknown {
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (inner, step) =>
        typeof inner === 'object' && inner !== null && Object.hasOwn(inner, step)
          ? Reflect.get(inner, step)
          : undefined,
      value,
    );
}
