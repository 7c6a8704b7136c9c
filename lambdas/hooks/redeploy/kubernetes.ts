import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { defineRedeploy, eachSecret, gatherSeconds, type Renewing } from '../../contract/hooks.ts';
import type { Clock } from '../../contract/ports.ts';
import type { Kubernetes, Place, Workload, WorkloadState } from '../kubernetes/api.ts';
import { parkedIn, stopped, unparking } from '../kubernetes/parking.ts';
import { lacking, lackingPods, moment, restartedAt, restartedAtKey } from '../kubernetes/progress.ts';
import { type RoleRule, roleRules } from '../kubernetes/role-rules.ts';
import { lackingRefresh, patched, refreshed } from '../kubernetes/sync.ts';

/** Most objects have names that are DNS subdomains (Kubernetes documentation, "Object Names and IDs"). */
const ObjectName = z
  .string()
  .check(
    z.regex(
      /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
      'must be the name of a Kubernetes object',
    ),
  );
const Label = z
  .string()
  .check(z.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a Kubernetes namespace'));
const DataKey = z
  .string()
  .check(z.regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,253}$/, 'must be a key of a Kubernetes Secret'));
const Variable = z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must be the name of a variable'));

const Consumer = z.strictObject({
  kind: z.literal('kubernetes'),
  /** Name of the EKS cluster (EKS API reference, CreateCluster). */
  cluster: z
    .string()
    .check(z.regex(/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/, 'must be the name of an EKS cluster')),
  /** Region of the cluster. Default: the Region of the stack. */
  region: z.optional(z.string().check(z.regex(/^[a-z]{2}(-[a-z]+)+-[0-9]$/, 'must be the name of a Region'))),
  namespace: Label,
  /** What reads the secret when it starts: 1–20 workloads, restarted all at once. */
  workloads: z
    .array(z.strictObject({ kind: z.enum(['Deployment', 'StatefulSet', 'DaemonSet']), name: ObjectName }))
    .check(z.minLength(1), z.maxLength(20)),
  /** How the value gets into the namespace. */
  sync: z.union([
    /** It does not: the pods read Secrets Manager themselves, or the Secrets Store CSI driver does. */
    z.literal('none'),
    /** By External Secrets, which is made to read again. */
    z.strictObject({
      externalSecret: ObjectName,
      /** Version of its API: v1beta1 before External Secrets 0.16. Default: v1. */
      apiVersion: z._default(z.enum(['v1', 'v1beta1']), 'v1'),
    }),
    /** By Keyturn: key of the Kubernetes Secret's data -> variable of the document. The Secret must exist. */
    z.strictObject({ secret: ObjectName, keys: z.record(DataKey, Variable) }),
  ]),
});
type Consumer = z.infer<typeof Consumer>;

/** The RBAC rules that the function's identity needs in the consumer's namespace. */
export function rulesInCluster({ workloads, sync }: Pick<Consumer, 'workloads' | 'sync'>): RoleRule[] {
  if (sync === 'none') return roleRules({ workloads });
  return 'secret' in sync
    ? roleRules({ workloads, secret: sync.secret })
    : roleRules({ workloads, externalSecret: sync.externalSecret });
}

/**
 * Workloads of an EKS cluster. A pod reads a Secret into its environment when its containers start
 * (Kubernetes documentation, "Secrets"), so first the Secret gets the value, then the pods restart as `kubectl
 * rollout restart` does it: by an annotation of the pod template.
 */
export const hook = defineRedeploy<Consumer, Kubernetes>({
  kind: 'kubernetes',
  consumer: Consumer,

  statements: ({ cluster, region, sync }) => [
    {
      actions: ['eks:DescribeCluster'],
      resources: [`arn:{partition}:eks:${region ?? '{region}'}:{account}:cluster/${cluster}`],
    },
    ...(sync !== 'none' && 'secret' in sync
      ? [{ actions: ['secretsmanager:GetSecretValue'], resources: [eachSecret] }]
      : []),
  ],

  check({ workloads, sync }) {
    const names = workloads.map(({ kind, name }) => `${kind} ${name}`);
    const doubled = names.find((name, index) => names.indexOf(name) !== index);
    if (doubled !== undefined) return `workloads must name each once; ${doubled} is there twice.`;
    if (sync !== 'none' && 'keys' in sync && Object.keys(sync.keys).length === 0) {
      return 'sync.keys must map at least one key; it is empty.';
    }
    return null;
  },

  /** Pods of a DaemonSet run wherever there is a node: it has no number that could be none. */
  unstoppable({ workloads }) {
    const daemons = workloads.find(({ kind }) => kind === 'DaemonSet');
    return daemons === undefined ? null : `the DaemonSet ${daemons.name}`;
  },

  /** Needs nothing beyond the restart: `patch` on the workloads and `list` on pods. */
  async quiesce(consumer, { secretId }, api) {
    const place = placeOf(consumer);
    const reasons = await Promise.all(
      consumer.workloads.map(async (workload) => {
        const reason = await stopped(api, place, workload, secretId);
        return reason === null ? [] : [`${workload.kind} ${workload.name}: ${reason}`];
      }),
    );
    const running = reasons.flat();
    return running.length === 0 ? { idle: true } : { idle: false, reason: running.join(', ') };
  },

  restarts: ({ cluster, region = '', namespace, workloads }) =>
    workloads.map(({ kind, name }) => ['kubernetes', region, cluster, namespace, kind, name].join('/')),

  async begin(consumer, renewing, api, clock) {
    const place = placeOf(consumer);
    const open = await Promise.all(
      consumer.workloads.map(async (workload) => {
        const state = await api.workload(place, workload);
        // An attempt before this one may have restarted it, and the stop came after that.
        const stands = parkedIn(state, renewing.secretId)?.own === true;
        return { workload, begun: inPlaceSince(state, renewing) !== null && !stands };
      }),
    );
    const waiting = open.filter(({ begun }) => !begun);
    if (waiting.length === 0) return;
    const since = await synced(consumer, place, renewing, api, clock);
    if (renewing.shared === true && isPatched(consumer)) await clock.sleep(gatherTime(renewing));
    await Promise.all(waiting.map(({ workload }) => restart(workload, since, place, renewing, api, clock)));
  },

  async look(consumer, renewing, api) {
    const place = placeOf(consumer);
    const { sync } = consumer;
    if (sync !== 'none' && 'externalSecret' in sync) {
      const state = await api.externalSecret(place, sync.apiVersion, sync.externalSecret);
      const missing = lackingRefresh(state, sync.externalSecret, renewing.since);
      if (missing !== null) return { renewed: false, reason: missing };
    }
    const missing = await Promise.all(
      consumer.workloads.map((workload) => missingOf(workload, place, renewing, api)),
    );
    const reasons = missing.filter((reason) => reason !== null);
    return reasons.length === 0 ? { renewed: true } : { renewed: false, reason: reasons.join(', ') };
  },
});

function placeOf({ cluster, region, namespace }: Consumer): Place {
  return { cluster, region: region ?? null, namespace };
}

/** Whether Keyturn brings the value: what External Secrets or the pods read is there since its publication. */
function isPatched({ sync }: Consumer): boolean {
  return sync !== 'none' && 'secret' in sync;
}

/**
 * Milliseconds in which other secrets may bring their values. Up to five seconds differ from secret to secret,
 * so that two that were brought at the same moment do not both look for a restart before either begins one.
 */
function gatherTime({ secretId }: Renewing): number {
  return gatherSeconds * 1000 + (Number.parseInt(digestOf(secretId).slice(0, 8), 16) % 5000);
}

/** Brings the value into the namespace. @returns the moment from which a pod that starts gets it */
function synced(
  { sync }: Consumer,
  place: Place,
  renewing: Renewing,
  api: Kubernetes,
  clock: Clock,
): Promise<Date> {
  if (sync === 'none') return Promise.resolve(renewing.since);
  return 'secret' in sync
    ? patched(sync, place, renewing, api, clock)
    : refreshed(sync, place, renewing, api, clock);
}

/**
 * Restarts a workload, unless another secret's restart was begun when this value was in place already. All
 * of it is one change, so that after a crash there is the record with the restart or neither.
 */
async function restart(
  workload: Workload,
  since: Date,
  place: Place,
  renewing: Renewing,
  api: Kubernetes,
  clock: Clock,
): Promise<void> {
  const state = await api.workload(place, workload);
  const last = restartedAt(state.templateAnnotations);
  const youngEnough = last !== null && last >= since && last > renewing.since;
  const start = unparking(state, renewing.secretId);
  await api.change(place, workload, {
    ...start,
    annotations: new Map([...start.annotations, [recordKey(renewing), recordOf(renewing, since)]]),
    templateAnnotations: youngEnough ? new Map() : new Map([[restartedAtKey, clock.now().toISOString()]]),
  });
}

async function missingOf(
  workload: Workload,
  place: Place,
  renewing: Renewing,
  api: Kubernetes,
): Promise<string | null> {
  const { kind, name } = workload;
  const state = await api.workload(place, workload);
  const parked = parkedIn(state, renewing.secretId);
  if (parked !== null) {
    return `${kind} ${name}: it is stopped ${parked.own ? 'and not started again yet' : 'for another secret, whose rollout starts it'}`;
  }
  const since = inPlaceSince(state, renewing);
  if (since === null) return `${kind} ${name}: its restart has not begun`;
  const missing = lacking(state);
  if (missing !== null) return `${kind} ${name}: ${missing}`;
  const pods = await api.pods(place, state.selector);
  const missingPods = lackingPods(pods, state.progress.desired, since);
  return missingPods === null ? null : `${kind} ${name}: ${missingPods}`;
}

/** Annotation of a workload for one secret; its value says for which version it was restarted. */
function recordKey({ secretId }: Renewing): string {
  return `keyturn/secret-${digestOf(secretId).slice(0, 16)}`;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function recordOf({ versionId, since }: Renewing, inPlace: Date): string {
  return `${versionId} ${since.toISOString()} ${inPlace.toISOString()}`;
}

/** From when on the value of this version was in place; null: the restart for it has not begun. */
function inPlaceSince({ annotations }: WorkloadState, renewing: Renewing): Date | null {
  const [versionId, since, inPlace] = annotations.get(recordKey(renewing))?.split(' ') ?? [];
  if (versionId !== renewing.versionId || since !== renewing.since.toISOString()) return null;
  return moment(inPlace);
}
