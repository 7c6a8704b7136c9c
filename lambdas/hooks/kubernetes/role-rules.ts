/**
 * What the function's identity may do inside the cluster: rules of an RBAC Role in the consumer's namespace
 * (Kubernetes documentation, "Using RBAC Authorization"). The identity is mapped by an EKS access entry whose
 * principal is the role of the redeploy function (EKS user guide, "Grant IAM users access to Kubernetes with
 * EKS access entries"); a RoleBinding gives its group the Role. Where consumers are stopped while data is moved, the role
 * of the function of the stage quiesce needs an access entry too, and of these rules only those of workloads and pods:
 * to scale a workload is a patch of it.
 */
import type { Workload, WorkloadKind } from './api.ts';

export interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Left out: every one in the namespace. */
  readonly resourceNames?: readonly string[];
}

/** How a kind is called in URLs and rules. */
export const pluralOf: Readonly<Record<WorkloadKind, string>> = {
  Deployment: 'deployments',
  StatefulSet: 'statefulsets',
  DaemonSet: 'daemonsets',
};

/** The minimal rules by what a consumer has; `resourceNames` narrows each but the listing of pods. */
export const minimalRules = {
  workloads: { apiGroups: ['apps'], verbs: ['get', 'patch'] },
  /** A list cannot be held to names: the names of pods are made by their controllers. */
  pods: { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
  externalSecret: {
    apiGroups: ['external-secrets.io'],
    resources: ['externalsecrets'],
    verbs: ['get', 'patch'],
  },
  /** No `get`: the answer to the patch is asked for without its data. */
  secret: { apiGroups: [''], resources: ['secrets'], verbs: ['patch'] },
} as const satisfies Record<string, Partial<RoleRule>>;

export interface RoleNeeds {
  readonly workloads: readonly Workload[];
  readonly externalSecret?: string;
  readonly secret?: string;
}

/** The rules of exactly one consumer. */
export function roleRules({ workloads, externalSecret, secret }: RoleNeeds): RoleRule[] {
  const kinds = [...new Set(workloads.map(({ kind }) => kind))];
  return [
    ...kinds.map((kind) => ({
      ...minimalRules.workloads,
      resources: [pluralOf[kind]],
      resourceNames: workloads.filter((workload) => workload.kind === kind).map(({ name }) => name),
    })),
    minimalRules.pods,
    ...(externalSecret === undefined
      ? []
      : [{ ...minimalRules.externalSecret, resourceNames: [externalSecret] }]),
    ...(secret === undefined ? [] : [{ ...minimalRules.secret, resourceNames: [secret] }]),
  ];
}
