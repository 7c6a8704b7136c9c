/** What a secret's class asks of the deployment when stored data is encrypted with it. */
import { registry } from '../../lambdas/classes/registry.ts';
import type { DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import type { ReencryptNeeds } from '../../lambdas/contract/reencryption.ts';
import type { ClassDefinition } from '../../lambdas/contract/secret-class.ts';
import { reencryptKinds } from '../../lambdas/hooks/reencrypt/kinds.ts';
import { invalid } from './invalid.ts';

interface InUse {
  readonly class: ClassDefinition;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * The class by which the secret is handled. Where the deployment does not say how the data under a single key is
 * moved, nothing can save that data: the secret is guarded.
 *
 * @throws KeyturnError DeploymentInvalid, when `reencrypt` is missing or too much.
 */
export function classInUse(
  field: string,
  declared: InUse,
  { reencrypt }: Pick<DeploymentSecret, 'reencrypt'>,
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

/** A re-encryption with what its functions need. */
export interface ResolvedReencryption extends ReencryptNeeds {
  readonly kind: string;
  /** Its members, complete: what the settings hold. */
  readonly members: { readonly kind: string; readonly [member: string]: unknown };
}

/**
 * The re-encryptions of a secret, in order. Wherever a hook names a credential (members `secret` and `member`), a key
 * of the deployment's own secrets stands for that secret's name or ARN. One of them must be able to count.
 *
 * @param ids key -> name or ARN of each secret of the deployment
 * @throws KeyturnError DeploymentInvalid
 */
export function resolveReencryptions(
  field: string,
  { reencrypt = [] }: Pick<DeploymentSecret, 'reencrypt'>,
  ids: ReadonlyMap<string, string>,
): ResolvedReencryption[] {
  const resolved = reencrypt.map((declared, index) => {
    const kind = reencryptKinds.get(declared.kind);
    if (kind === undefined) {
      throw invalid(
        `${field}.reencrypt.${index}.kind must be one of ${[...reencryptKinds.keys()].join(', ')}; received "${declared.kind}".`,
      );
    }
    const members = { ...(withIds(declared, ids) as object), kind: declared.kind };
    const checked = kind.check(members);
    if (!checked.ok) {
      throw invalid(`${field}.reencrypt.${index}: ${checked.broken[0] ?? 'it breaks a rule.'}`);
    }
    return { ...checked.hook, kind: declared.kind, members };
  });
  if (resolved.length > 0 && !resolved.some(({ counts }) => counts)) {
    throw invalid(
      `${field}.reencrypt must have a hook that counts what is left: without a count, no key can be retired; none of them counts.`,
    );
  }
  return resolved;
}

/** The same, with the id of a secret in the place of its key, in every credential. */
export function withIds(value: unknown, ids: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => withIds(one, ids));
  if (typeof value !== 'object' || value === null) return value;
  const isCredential = 'member' in value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      isCredential && name === 'secret' && typeof member === 'string'
        ? (ids.get(member) ?? member)
        : withIds(member, ids),
    ]),
  );
}
