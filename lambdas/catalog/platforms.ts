import { readdirSync, readFileSync } from 'node:fs';
import { brokenRules } from '../contract/deployment.ts';
import { KeyturnError } from '../contract/errors.ts';
import { Catalog } from './schema.ts';

const folder = new URL('./', import.meta.url);

/**
 * The platforms that Keyturn knows: every JSON file beside this one. Read when something is synthesised or
 * asked for on a command line, never in a function.
 */
export const platformIds: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length))
  .sort();

/** @throws KeyturnError DeploymentInvalid when there is no such platform. */
export function catalogOf(platform: string): Catalog {
  if (!platformIds.includes(platform)) {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `platform must be one of ${platformIds.join(', ')}; received "${platform}".`,
    });
  }
  const json: unknown = JSON.parse(readFileSync(new URL(`${platform}.json`, folder), 'utf8'));
  const result = Catalog.safeParse(json);
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `The catalog ${platform}.json is broken: ${brokenRules(result.error.issues, json).join(' ')}`,
  });
}
