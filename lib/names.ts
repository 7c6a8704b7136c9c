/** Name of everything of a deployment: the same prefix in every console. */
export function nameOf(deployment: string, part: string): string {
  return `keyturn-${deployment}-${part}`;
}
