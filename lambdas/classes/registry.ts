/**
 * The secret classes. A class is its file and its line here; its id, the deployed functions, the README's
 * table and the contract tests all follow from this table.
 */
import type { ClassDefinition } from '../contract/secret-class.ts';
import { secretClass as databaseCredential } from './database-credential.ts';
import { secretClass as encryptionKey } from './encryption-key.ts';
import { secretClass as encryptionKeyring } from './encryption-keyring.ts';
import { secretClass as envelopeRootKey } from './envelope-root-key.ts';
import { secretClass as guarded } from './guarded.ts';
import { secretClass as instanceTokenKey } from './instance-token-key.ts';
import { secretClass as observed } from './observed.ts';
import { secretClass as opaqueToken } from './opaque-token.ts';
import { secretClass as operatorSupplied } from './operator-supplied.ts';
import { secretClass as redisCredential } from './redis-credential.ts';
import { secretClass as sharedToken } from './shared-token.ts';
import { secretClass as signingKeyCutover } from './signing-key-cutover.ts';
import { secretClass as signingKeyOverlap } from './signing-key-overlap.ts';
import { secretClass as versionedEncryptionKey } from './versioned-encryption-key.ts';

export const registry = {
  'opaque-token': opaqueToken,
  'shared-token': sharedToken,
  'signing-key-cutover': signingKeyCutover,
  'instance-token-key': instanceTokenKey,
  'signing-key-overlap': signingKeyOverlap,
  'encryption-keyring': encryptionKeyring,
  'versioned-encryption-key': versionedEncryptionKey,
  'envelope-root-key': envelopeRootKey,
  'encryption-key': encryptionKey,
  'database-credential': databaseCredential,
  'redis-credential': redisCredential,
  'operator-supplied': operatorSupplied,
  observed,
  guarded,
} as const satisfies Record<string, ClassDefinition>;

const byId: ReadonlyMap<string, ClassDefinition> = new Map(Object.entries(registry));

/** The class of this id, or undefined: for ids that come from a file. */
export function classOf(id: string): ClassDefinition | undefined {
  return byId.get(id);
}

/** Every class's id, in the registry's order. */
export const classIds: readonly string[] = [...byId.keys()];
