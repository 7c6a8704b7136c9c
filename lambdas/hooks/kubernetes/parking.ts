/** Workloads that are scaled to none while data is moved, and what is noted on them to start them again. */
import { createHash } from 'node:crypto';
import type { Kubernetes, Place, Workload, WorkloadChange, WorkloadState } from './api.ts';

/** Annotation of a workload that Keyturn stopped: how many pods it had, and the mark of the secret it was for. */
export const parkedKey = 'keyturn/parked';

export interface Parked {
  readonly replicas: number;
  /** Whether it was stopped for this secret. */
  readonly own: boolean;
}

/** @returns null when nothing stopped it, or when it was started since: its number is the truth. */
export function parkedIn({ annotations, progress }: WorkloadState, secretId: string): Parked | null {
  const [replicas = '', mark] = annotations.get(parkedKey)?.split(' ') ?? [];
  if (!/^\d{1,6}$/.test(replicas) || progress.desired > 0) return null;
  return { replicas: Number(replicas), own: mark === markOf(secretId) };
}

/**
 * Scales a workload to none, unless it is, and tells what of it still runs, or null.
 *
 * A HorizontalPodAutoscaler leaves a workload of no pods alone (Kubernetes documentation, "Horizontal Pod
 * Autoscaling", "Implicit maintenance-mode deactivation"). What starts pods from none by itself, as KEDA and a GitOps
 * controller that owns the number do, must be suspended by its owner.
 */
export async function stopped(
  api: Kubernetes,
  place: Place,
  workload: Workload,
  secretId: string,
): Promise<string | null> {
  const state = await api.workload(place, workload);
  const { desired } = state.progress;
  const parked = parkedIn(state, secretId);
  if (parked !== null && !parked.own) return 'it is stopped for another secret, whose rollout must end first';
  if (desired > 0) {
    const note = new Map([[parkedKey, `${desired} ${markOf(secretId)}`]]);
    // Note and number are one change: there is never a stop without what undoes it.
    await api.change(place, workload, { annotations: note, replicas: 0 });
    return `${desired} pods are to stop`;
  }
  if (state.observedGeneration < state.generation)
    return 'its controller has not seen yet that it is to stop';
  const running = (await api.pods(place, state.selector)).filter(({ ended }) => !ended).length;
  return running === 0 ? null : `${running} pods still run`;
}

/** What a restart adds to its change, so that what was stopped for this secret starts again. */
export function unparking(state: WorkloadState, secretId: string): WorkloadChange {
  const noted = state.annotations.get(parkedKey)?.endsWith(` ${markOf(secretId)}`) ?? false;
  if (!noted) return { annotations: new Map() };
  const parked = parkedIn(state, secretId);
  // Somebody may have started it meanwhile, with another number: then the note alone goes.
  return {
    annotations: new Map([[parkedKey, null]]),
    ...(parked === null ? {} : { replicas: parked.replicas }),
  };
}

function markOf(secretId: string): string {
  return createHash('sha256').update(secretId).digest('hex').slice(0, 16);
}
