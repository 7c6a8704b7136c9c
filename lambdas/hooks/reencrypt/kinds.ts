/** The kinds of re-encryption: a kind is its file and its line here. */
import type { ReencryptKind } from '../../contract/reencryption.ts';
import { hook as http } from './http.ts';

export const reencryptKinds: ReadonlyMap<string, ReencryptKind> = new Map(
  [http].map((hook) => [hook.kind, hook]),
);
