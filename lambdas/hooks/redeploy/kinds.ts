/** The kinds of consumers: a kind is its file and its line here. */
import type { RedeployKind } from '../../contract/hooks.ts';
import { hook as codebuild } from './codebuild.ts';
import { hook as compose } from './compose.ts';
import { hook as ecs } from './ecs.ts';
import { hook as eventbridge } from './eventbridge.ts';
import { hook as http } from './http.ts';
import { hook as kubernetes } from './kubernetes.ts';
import { hook as lambda } from './lambda.ts';

export const redeployKinds: ReadonlyMap<string, RedeployKind> = new Map(
  [codebuild, compose, ecs, eventbridge, http, kubernetes, lambda].map((hook) => [hook.kind, hook]),
);
