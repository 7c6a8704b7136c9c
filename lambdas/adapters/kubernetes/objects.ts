/** What is read of the objects of a cluster's API, and what it says of a rollout. */
import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import type {
  ExternalSecretState,
  Pod,
  Progress,
  Workload,
  WorkloadState,
} from '../../hooks/kubernetes/api.ts';

const count = z._default(z.number(), 0);
const annotations = z.optional(z.record(z.string(), z.string()));
const Selector = z.object({
  matchLabels: z.optional(z.record(z.string(), z.string())),
  matchExpressions: z.optional(
    z.array(z.object({ key: z.string(), operator: z.string(), values: z.optional(z.array(z.string())) })),
  ),
});

/** What is read of a workload of any kind; numbers that are zero are left out by the API server. */
export const WorkloadObject = z.object({
  metadata: z.object({ generation: count, annotations }),
  spec: z.object({
    /** Left out: 1 (API reference, Deployment and StatefulSet). */
    replicas: z._default(z.number(), 1),
    paused: z._default(z.boolean(), false),
    selector: Selector,
    template: z.object({ metadata: z.optional(z.object({ annotations })) }),
    updateStrategy: z.optional(
      z.object({
        type: z.optional(z.string()),
        rollingUpdate: z.optional(z.object({ partition: z.optional(z.number()) })),
      }),
    ),
  }),
  status: z._default(
    z.object({
      observedGeneration: count,
      replicas: count,
      updatedReplicas: count,
      readyReplicas: count,
      availableReplicas: count,
      currentRevision: z._default(z.string(), ''),
      updateRevision: z._default(z.string(), ''),
      desiredNumberScheduled: count,
      updatedNumberScheduled: count,
      numberAvailable: count,
      conditions: z.optional(
        z.array(z.object({ type: z.string(), status: z.string(), reason: z.optional(z.string()) })),
      ),
    }),
    {
      observedGeneration: 0,
      replicas: 0,
      updatedReplicas: 0,
      readyReplicas: 0,
      availableReplicas: 0,
      currentRevision: '',
      updateRevision: '',
      desiredNumberScheduled: 0,
      updatedNumberScheduled: 0,
      numberAvailable: 0,
    },
  ),
});
type WorkloadObject = z.infer<typeof WorkloadObject>;

export const PodList = z.object({
  metadata: z._default(z.object({ continue: z.optional(z.string()) }), {}),
  items: z.array(
    z.object({
      metadata: z.object({
        creationTimestamp: z.string(),
        deletionTimestamp: z.optional(z.string()),
        annotations,
      }),
      status: z._default(
        z.object({
          phase: z.optional(z.string()),
          conditions: z.optional(z.array(z.object({ type: z.string(), status: z.string() }))),
        }),
        {},
      ),
    }),
  ),
});
type PodObject = z.infer<typeof PodList>['items'][number];

const ExternalSecretObject = z.object({
  spec: z._default(z.object({ refreshPolicy: z.optional(z.string()) }), {}),
  status: z._default(
    z.object({
      refreshTime: z.optional(z.nullable(z.string())),
      syncedResourceVersion: z.optional(z.string()),
      conditions: z.optional(z.array(z.object({ type: z.string(), status: z.string() }))),
    }),
    {},
  ),
});

/** The parser's own words are left out: they may quote the object. */
export function shaped<T>(schema: z.ZodMiniType<T>, answer: unknown, name: string): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join('.') ?? '';
  throw new KeyturnError({
    code: 'AwsRefused',
    message: `The API server's answer for ${name} must be as Kubernetes documents it; ${where} is not.`,
  });
}

export function workloadState({ kind }: Workload, { metadata, spec, status }: WorkloadObject): WorkloadState {
  return {
    generation: metadata.generation,
    observedGeneration: status.observedGeneration,
    progress: progressOf(kind, spec, status),
    selector: selectorOf(spec.selector),
    annotations: new Map(Object.entries(metadata.annotations ?? {})),
    templateAnnotations: new Map(Object.entries(spec.template.metadata?.annotations ?? {})),
  };
}

function progressOf(
  kind: Workload['kind'],
  { replicas, paused, updateStrategy }: WorkloadObject['spec'],
  status: WorkloadObject['status'],
): Progress {
  const strategy = updateStrategy?.type ?? 'RollingUpdate';
  switch (kind) {
    case 'Deployment':
      return {
        kind,
        desired: replicas,
        total: status.replicas,
        updated: status.updatedReplicas,
        available: status.availableReplicas,
        paused,
        deadlineExceeded: (status.conditions ?? []).some(
          (condition) =>
            condition.type === 'Progressing' &&
            condition.status === 'False' &&
            condition.reason === 'ProgressDeadlineExceeded',
        ),
      };
    case 'StatefulSet':
      return {
        kind,
        desired: replicas,
        updated: status.updatedReplicas,
        ready: status.readyReplicas,
        currentRevision: status.currentRevision,
        updateRevision: status.updateRevision,
        strategy,
        partition: updateStrategy?.rollingUpdate?.partition ?? 0,
      };
    case 'DaemonSet':
      return {
        kind,
        desired: status.desiredNumberScheduled,
        updated: status.updatedNumberScheduled,
        available: status.numberAvailable,
        strategy,
      };
  }
}

/** The text form of a selector (Kubernetes documentation, "Labels and Selectors", "API"). */
function selectorOf({ matchLabels = {}, matchExpressions = [] }: z.infer<typeof Selector>): string {
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${values.join(',')})`;
      case 'NotIn':
        return `${key} notin (${values.join(',')})`;
      case 'DoesNotExist':
        return `!${key}`;
      default:
        return key;
    }
  });
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...expressions].join(',');
}

export function podOf({ metadata, status }: PodObject): Pod {
  // An evicted pod stays in the list as Failed until it is collected.
  const ended = status.phase === 'Succeeded' || status.phase === 'Failed';
  return {
    createdAt: new Date(metadata.creationTimestamp),
    annotations: new Map(Object.entries(metadata.annotations ?? {})),
    ready: isTrue('Ready', status.conditions),
    leaving: metadata.deletionTimestamp !== undefined || ended,
    ended,
  };
}

export function externalSecretState(answer: unknown, name: string): ExternalSecretState {
  const { spec, status } = shaped(ExternalSecretObject, answer, name);
  const at = status.refreshTime;
  return {
    refreshedAt: at === null || at === undefined ? null : new Date(at),
    ready: isTrue('Ready', status.conditions),
    syncedVersion: status.syncedResourceVersion ?? '',
    policy: spec.refreshPolicy ?? 'Periodic',
  };
}

function isTrue(type: string, conditions: readonly { type: string; status: string }[] | undefined): boolean {
  return (conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}
