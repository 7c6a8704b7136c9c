/** The kinds of re-encryption: a kind is its file and its line here. */
import type { ReencryptKind } from '../../contract/reencryption.ts';
import { hook as ecsTask } from './ecs-task.ts';
import { hook as http } from './http.ts';
import { hook as lambda } from './lambda.ts';
import { hook as postgres } from './postgres.ts';

export const reencryptKinds: ReadonlyMap<string, ReencryptKind> = new Map(
  [ecsTask, http, lambda, postgres].map((hook) => [hook.kind, hook]),
);
