/** The kinds of consumers: a kind is its file and its line here. */
import type { RedeployKind } from '../../contract/hooks.ts';
import { hook as ecs } from './ecs.ts';

export const redeployKinds: ReadonlyMap<string, RedeployKind> = new Map(
  [ecs].map((hook) => [hook.kind, hook]),
);
