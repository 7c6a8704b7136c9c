/** Options and documents of the classes whose keys encrypt stored data. */
import type { Memory, Variables } from '../../../lambdas/contract/document.ts';
import { SecretDocument } from '../../../lambdas/contract/document.ts';

/** AES-256-GCM as text: nonce, ciphertext, tag in base64, after the key's number where rows are tagged. */
export function gcm(derive: 'raw' | 'hex', tagged = false) {
  return {
    id: 'aes-256-gcm',
    layout: [
      ...(tagged ? [{ text: 'v' }, { version: 'decimal' }, { text: ':' }] : []),
      { encoding: 'base64', fields: ['nonce', 'ciphertext', 'tag'] },
    ],
    key: { kind: derive },
  };
}

const memory: Memory = { schema: 1, class: 'any', base: null };

export function documentOf(variables: Readonly<Record<string, string>>): SecretDocument {
  return new SecretDocument(new Map(Object.entries(variables)), memory);
}

export function following(document: SecretDocument, changes: Variables): SecretDocument {
  return document.with(changes, memory);
}

export function membersOf(document: SecretDocument): Record<string, string> {
  return Object.fromEntries(document.names().map((name) => [name, document.value(name).reveal()]));
}
