/** The kinds of re-encryption: a kind is its file and its line here. */
import type { ReencryptKind } from '../../contract/reencryption.ts';
import { hook as postgres } from './postgres.ts';

export const reencryptKinds: ReadonlyMap<string, ReencryptKind> = new Map(
  [postgres].map((hook) => [hook.kind, hook]),
);
