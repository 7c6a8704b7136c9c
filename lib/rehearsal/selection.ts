/** Which secrets of which deployments a rehearsal takes, after its flags. */
import type { Options } from './options.ts';

export interface Rehearsable {
  readonly platform: string;
  /** Keys of the deployment file's secrets. */
  readonly secrets: readonly string[];
}

export type Selection<Deployment> =
  | { readonly ok: true; readonly selected: readonly Deployment[] }
  /** Exit with `exitCodes.usage`. */
  | { readonly ok: false; readonly message: string };

/**
 * The deployments that are left, each with the secrets that are left, in the order they came in. A name
 * that selects nothing is refused: a misspelt one would otherwise pass by rotating nothing.
 */
export function select<Deployment extends Rehearsable>(
  { platforms, secrets }: Pick<Options, 'platforms' | 'secrets'>,
  available: readonly Deployment[],
): Selection<Deployment> {
  const known = unique(available.map(({ platform }) => platform));
  const strange = platforms.find((platform) => !known.includes(platform));
  if (strange !== undefined) return unknown('--platform', known, strange);

  const chosen = available.filter(({ platform }) => platforms.length === 0 || platforms.includes(platform));
  const keys = unique(chosen.flatMap((deployment) => deployment.secrets));
  const missing = secrets.find((secret) => !keys.includes(secret));
  if (missing !== undefined) return unknown('--secret', keys, missing);

  const selected = chosen
    .map((deployment) => ({
      ...deployment,
      secrets: deployment.secrets.filter((key) => secrets.length === 0 || secrets.includes(key)),
    }))
    .filter((deployment) => deployment.secrets.length > 0);
  return { ok: true, selected };
}

function unknown(flag: string, known: readonly string[], received: string): { ok: false; message: string } {
  return { ok: false, message: `${flag} must be one of ${known.join(', ')}; received "${received}".` };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
