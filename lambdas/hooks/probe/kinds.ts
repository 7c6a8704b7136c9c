/** The kinds of probes: a kind is its file and its line here. */
import type { ProbeKind } from '../../contract/hooks.ts';
import { hook as http } from './http.ts';
import { hook as jwt } from './jwt.ts';

export const probeKinds: ReadonlyMap<string, ProbeKind> = new Map(
  [http, jwt].map((hook) => [hook.kind, hook]),
);
