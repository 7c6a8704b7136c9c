/** What the hook `kubernetes` needs of a cluster's API and of Secrets Manager, and no wider. */
import type { Sensitive } from '../../contract/sensitive.ts';

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface Workload {
  readonly kind: WorkloadKind;
  readonly name: string;
}

/** A namespace of a cluster. */
export interface Place {
  readonly cluster: string;
  /** Null: the Region of the function. */
  readonly region: string | null;
  readonly namespace: string;
}

/** The numbers that tell whether a kind's rollout is over (Kubernetes API reference, apps/v1, `status`). */
export type Progress =
  | {
      readonly kind: 'Deployment';
      readonly desired: number;
      readonly total: number;
      readonly updated: number;
      readonly available: number;
      readonly paused: boolean;
      /** The condition Progressing is False with the reason ProgressDeadlineExceeded. */
      readonly deadlineExceeded: boolean;
    }
  | {
      readonly kind: 'StatefulSet';
      readonly desired: number;
      readonly updated: number;
      readonly ready: number;
      readonly currentRevision: string;
      readonly updateRevision: string;
      readonly strategy: string;
      /** Pods with a lower ordinal are not updated. */
      readonly partition: number;
    }
  | {
      readonly kind: 'DaemonSet';
      readonly desired: number;
      readonly updated: number;
      readonly available: number;
      readonly strategy: string;
    };

export interface WorkloadState {
  readonly generation: number;
  /** The generation that the controller has seen; the numbers are older than the spec while it is lower. */
  readonly observedGeneration: number;
  readonly progress: Progress;
  /** Selector of its pods, as a query writes it. */
  readonly selector: string;
  /** Its annotations, without those of the pod template. */
  readonly annotations: ReadonlyMap<string, string>;
  /** Those of the pod template. */
  readonly templateAnnotations: ReadonlyMap<string, string>;
}

export interface WorkloadChange {
  /** Its own annotations; null takes one away. */
  readonly annotations: ReadonlyMap<string, string | null>;
  /** Those of its pod template: a change restarts its pods. Default: none. */
  readonly templateAnnotations?: ReadonlyMap<string, string>;
  /** How many pods it is to have. Default: as many as it has. */
  readonly replicas?: number;
}

export interface Pod {
  readonly createdAt: Date;
  readonly annotations: ReadonlyMap<string, string>;
  readonly ready: boolean;
  /** It has a deletion time, or it has ended. */
  readonly leaving: boolean;
  /** None of its containers runs any more. */
  readonly ended: boolean;
}

export interface ExternalSecretState {
  /** When External Secrets last wrote the Kubernetes Secret; null: never. */
  readonly refreshedAt: Date | null;
  readonly ready: boolean;
  /** Changes when the annotations that the last refresh saw were others. */
  readonly syncedVersion: string;
  /** `CreatedOnce` is never refreshed. */
  readonly policy: string;
}

export type ExternalSecretsVersion = 'v1' | 'v1beta1';

export interface Kubernetes {
  workload(place: Place, workload: Workload): Promise<WorkloadState>;
  /** All of it at once, or nothing. */
  change(place: Place, workload: Workload, change: WorkloadChange): Promise<void>;
  pods(place: Place, selector: string): Promise<readonly Pod[]>;
  externalSecret(place: Place, version: ExternalSecretsVersion, name: string): Promise<ExternalSecretState>;
  /** @returns the state at the moment of the change. */
  annotateExternalSecret(
    place: Place,
    version: ExternalSecretsVersion,
    name: string,
    annotations: ReadonlyMap<string, string>,
  ): Promise<ExternalSecretState>;
  /** Writes these keys of a Secret that exists; its other keys stay. */
  patchSecret(place: Place, name: string, values: ReadonlyMap<string, Sensitive>): Promise<void>;
  /** A version of a secret of Secrets Manager. */
  value(secretId: string, versionId: string): Promise<Sensitive>;
}
