/** What a secret's class asks of the deployment when stored data is encrypted with it. */
import { registry } from '../../lambdas/classes/registry.ts';
import type { DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import type { ClassDefinition } from '../../lambdas/contract/secret-class.ts';

interface InUse {
  readonly class: ClassDefinition;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * The class by which the secret is handled. Where the deployment does not say how the data under a single key is
 * moved, nothing can save that data: the secret is guarded.
 *
 * @throws KeyturnError by `invalid`, when `reencrypt` is missing or too much.
 */
export function classInUse(
  field: string,
  declared: InUse,
  { reencrypt }: Pick<DeploymentSecret, 'reencrypt'>,
  invalid: (sentence: string) => Error,
): InUse {
  const { id, reencryption } = declared.class;
  if (reencryption === null) {
    if (reencrypt === undefined) return declared;
    throw invalid(`${field}.reencrypt must be left out: no stored data is encrypted under the class ${id}.`);
  }
  if (reencrypt !== undefined) return declared;
  if (reencryption === 'required') {
    throw invalid(
      `${field}.reencrypt must say how stored data is moved to the new key: the class ${id} retires the old one only when nothing is left under it; it is missing.`,
    );
  }
  const { variable, format, rules, breaks } = declared.options;
  return {
    class: registry.guarded,
    options: {
      variable,
      format,
      ...(rules === undefined ? {} : { rules }),
      breaks: breaks ?? `all data that ${String(variable)} encrypted becomes unreadable`,
    },
  };
}
