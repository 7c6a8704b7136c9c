/**
 * The codecs. A codec is its file and its line here; its id in a deployment file follows from this table.
 */
import type { CodecDefinition } from '../contract/ciphers.ts';
import { codec as aes256Gcm } from './aes-256-gcm.ts';
import { codec as fernet } from './fernet.ts';
import { codec as railsActiveRecord } from './rails-active-record.ts';

export const registry = {
  fernet,
  'aes-256-gcm': aes256Gcm,
  'rails-active-record': railsActiveRecord,
} as const satisfies Record<string, CodecDefinition>;

const byId: ReadonlyMap<string, CodecDefinition> = new Map(Object.entries(registry));

/** The codec of this id, or undefined: for ids that come from a file. */
export function codecOf(id: string): CodecDefinition | undefined {
  return byId.get(id);
}

/** Every codec's id, in the registry's order. */
export const codecIds: readonly string[] = [...byId.keys()];
