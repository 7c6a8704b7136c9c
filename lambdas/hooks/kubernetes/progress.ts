/** Whether a workload and its pods are through a restart. Pure: every answer is a sentence, or null. */
import type { Pod, Progress, WorkloadState } from './api.ts';

/**
 * What a workload still lacks, or null. The order is `kubectl rollout status`'s: numbers mean nothing until
 * the controller has seen the spec (Kubernetes documentation, "Deployments", "Deployment status").
 */
export function lacking(state: WorkloadState): string | null {
  const never = neverRolls(state.progress);
  if (never !== null) return never;
  if (state.observedGeneration < state.generation) return 'its controller has not seen the restart yet';
  return unfinished(state.progress);
}

/** A setting under which a change of the template restarts nothing, so that waiting would be in vain. */
function neverRolls(progress: Progress): string | null {
  switch (progress.kind) {
    case 'Deployment':
      return progress.paused ? 'it is paused, so nothing restarts' : null;
    case 'StatefulSet':
      if (progress.strategy === 'OnDelete') return onDelete;
      return progress.partition > 0
        ? `its update strategy has the partition ${progress.partition}, so lower pods do not restart`
        : null;
    case 'DaemonSet':
      return progress.strategy === 'OnDelete' ? onDelete : null;
  }
}

const onDelete = 'its update strategy is OnDelete, so nothing restarts until a person deletes the pods';

function unfinished(progress: Progress): string | null {
  const { desired, updated } = progress;
  switch (progress.kind) {
    case 'Deployment': {
      if (progress.deadlineExceeded) return 'its rollout exceeded its progress deadline';
      if (updated < desired) return `${updated} of ${desired} pods are updated`;
      if (progress.total > updated) return `${progress.total - updated} old pods still run`;
      return progress.available < updated ? `${progress.available} of ${updated} pods are available` : null;
    }
    case 'StatefulSet': {
      if (updated < desired) return `${updated} of ${desired} pods are updated`;
      if (progress.ready < desired) return `${progress.ready} of ${desired} pods are ready`;
      // With no pod wanted the controller never calls the new revision the current one.
      return desired > 0 && progress.currentRevision !== progress.updateRevision
        ? 'its new revision is not the current one yet'
        : null;
    }
    case 'DaemonSet': {
      if (updated < desired) return `${updated} of ${desired} pods are updated`;
      return progress.available < desired ? `${progress.available} of ${desired} pods are available` : null;
    }
  }
}

/** Annotation of a pod template: when Keyturn last restarted its pods. ISO 8601. */
export const restartedAtKey = 'keyturn/restarted-at';

/** When the restart was begun from which a template or a pod comes; null: it was never restarted by Keyturn. */
export function restartedAt(annotations: ReadonlyMap<string, string>): Date | null {
  return moment(annotations.get(restartedAtKey));
}

export function moment(text: string | undefined): Date | null {
  const at = new Date(text ?? '');
  return Number.isNaN(at.getTime()) ? null : at;
}

/**
 * What the pods lack, or null. A pod is young when it carries the annotation of a restart that was begun once
 * the value was in place, or was created after that moment: creation times have whole seconds, so the
 * annotation is what tells the two apart within one.
 */
export function lackingPods(pods: readonly Pod[], desired: number, inPlaceSince: Date): string | null {
  const staying = pods.filter((pod) => !pod.leaving);
  const isYoung = (pod: Pod) => {
    const restart = restartedAt(pod.annotations);
    return (restart !== null && restart >= inPlaceSince) || pod.createdAt > inPlaceSince;
  };
  const old = staying.filter((pod) => !isYoung(pod)).length;
  if (old > 0) return `${old} pods are older than the version`;
  const ready = staying.filter((pod) => pod.ready).length;
  return ready < desired ? `${ready} of ${desired} young pods are ready` : null;
}
