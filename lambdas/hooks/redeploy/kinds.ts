/** The kinds of consumers: a kind is its file and its line here. */
import type { RedeployKind } from '../../contract/hooks.ts';
import { hook as compose } from './compose.ts';
import { hook as ecs } from './ecs.ts';
import { hook as kubernetes } from './kubernetes.ts';

export const redeployKinds: ReadonlyMap<string, RedeployKind> = new Map(
  [compose, ecs, kubernetes].map((hook) => [hook.kind, hook]),
);
