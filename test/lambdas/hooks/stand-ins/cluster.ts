/**
 * The objects of a namespace and the controllers that work on them: workloads whose pods are replaced one
 * after the other, and External Secrets. Time is the cluster's own; `tick` lets it pass.
 */
import { createHash } from 'node:crypto';

export type Annotations = Record<string, string>;

export interface PodObject {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly annotations: Annotations;
  /** Whole seconds, as the API writes it. */
  readonly createdAt: number;
  readonly template: number;
  /** What its containers read from the Secret when they started. */
  readonly environment: Record<string, string>;
  ready: boolean;
  deletedAt: number | null;
  phase: string;
}

/** How pods of a template behave. */
export type Temper = 'healthy' | 'slow' | 'never' | 'flapping';

export interface WorkloadOptions {
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly name: string;
  readonly replicas: number;
  /** Ticks until a pod is ready. Default: 1. */
  readonly startTicks?: number;
  /** Ticks without progress after which a Deployment gives up. Default: 20. */
  readonly deadlineTicks?: number;
  readonly paused?: boolean;
  readonly strategy?: string;
  readonly partition?: number;
  /** Ticks that a pod which is asked to stop goes on. Default: 1. */
  readonly stopTicks?: number;
}

export class WorkloadObject {
  readonly options: WorkloadOptions;
  generation = 1;
  observedGeneration = 1;
  resourceVersion = 1;
  annotations: Annotations = {};
  templateAnnotations: Annotations = {};
  /** Rises with every change of the template. */
  template = 1;
  /** Of a StatefulSet: the template that all pods have. */
  currentTemplate = 1;
  /** How many pods it is to have. */
  replicas: number;
  stuckFor = 0;
  deadlineExceeded = false;
  temper: Temper = 'healthy';
  /** How often the template changed since the start. */
  restarts = 0;

  constructor(options: WorkloadOptions) {
    this.options = options;
    this.replicas = options.replicas;
  }
}

export interface ExternalSecretObject {
  readonly name: string;
  readonly target: string;
  annotations: Annotations;
  refreshTime: number | null;
  synced: string;
  ready: boolean;
  /** False: the store cannot be read. */
  works: boolean;
  policy: string;
  /** Ticks that a refresh takes. */
  ticks: number;
  left: number;
  refreshes: number;
}

export class Cluster {
  /** Milliseconds since the epoch. */
  now: number;
  readonly workloads: WorkloadObject[] = [];
  readonly externalSecrets: ExternalSecretObject[] = [];
  readonly secrets = new Map<string, Record<string, string>>();
  pods: PodObject[] = [];
  /** What Secrets Manager would answer External Secrets. */
  current: Record<string, string> = {};
  #made = 0;

  constructor(now: number) {
    this.now = now;
  }

  add(options: WorkloadOptions): WorkloadObject {
    const workload = new WorkloadObject(options);
    this.workloads.push(workload);
    for (let index = 0; index < options.replicas; index += 1) this.#create(workload).ready = true;
    return workload;
  }

  addExternalSecret(name: string, target: string): ExternalSecretObject {
    const made: ExternalSecretObject = {
      ...{ name, target, annotations: {}, refreshTime: this.now, synced: '', ready: true },
      ...{ works: true, policy: 'Periodic', ticks: 2, left: 0, refreshes: 0 },
    };
    made.synced = versionOf(made.annotations);
    this.externalSecrets.push(made);
    return made;
  }

  podsOf({ options }: WorkloadObject): PodObject[] {
    return this.pods.filter(({ labels }) => labels.app === options.name);
  }

  /** A change of a workload, as the API server and its controllers see it. */
  changeWorkload(
    workload: WorkloadObject,
    own: Readonly<Record<string, string | null>>,
    ofTemplate: Annotations,
    replicas = workload.replicas,
  ): void {
    // A merge patch takes a member away whose value is null (RFC 7386).
    const merged = Object.entries({ ...workload.annotations, ...own });
    workload.annotations = Object.fromEntries(merged.filter(([, value]) => value !== null)) as Annotations;
    workload.resourceVersion += 1;
    if (replicas !== workload.replicas) workload.generation += 1;
    workload.replicas = replicas;
    const next = { ...workload.templateAnnotations, ...ofTemplate };
    if (JSON.stringify(next) === JSON.stringify(workload.templateAnnotations)) return;
    workload.templateAnnotations = next;
    workload.template += 1;
    workload.generation += 1;
    workload.restarts += 1;
    workload.stuckFor = 0;
    workload.deadlineExceeded = false;
  }

  /** One second and one round of every controller. */
  tick(): void {
    this.now += 1000;
    for (const external of this.externalSecrets) this.#sync(external);
    for (const workload of this.workloads) this.#roll(workload);
    this.pods = this.pods.filter(({ deletedAt }) => deletedAt === null || deletedAt > this.now);
  }

  #sync(external: ExternalSecretObject): void {
    if (versionOf(external.annotations) === external.synced && external.ready) return;
    if (external.policy === 'CreatedOnce') return;
    if (!external.works) {
      external.ready = false;
      return;
    }
    external.left += 1;
    if (external.left < external.ticks) return;
    this.secrets.set(external.target, { ...this.current });
    Object.assign(external, {
      left: 0,
      ready: true,
      refreshTime: this.now,
      synced: versionOf(external.annotations),
    });
    external.refreshes += 1;
  }

  /** Replaces one pod a round, and counts rounds without progress. */
  #roll(workload: WorkloadObject): void {
    workload.observedGeneration = workload.generation;
    const { replicas } = workload;
    const { kind, paused, strategy, partition = 0, startTicks = 1, deadlineTicks = 20 } = workload.options;
    const pods = this.podsOf(workload);
    for (const pod of pods) {
      const age = (this.now - pod.createdAt) / 1000;
      const { temper } = pod.template === 1 ? { temper: 'healthy' } : workload;
      if (temper === 'never') pod.ready = false;
      else if (temper === 'flapping') pod.ready = Math.floor(age) % 3 === 1;
      else pod.ready = age >= (temper === 'slow' ? startTicks * 5 : startTicks);
    }
    const staying = pods.filter(({ deletedAt, phase }) => deletedAt === null && phase === 'Running');
    const young = staying.filter(({ template }) => template === workload.template);
    const surplus = kind === 'DaemonSet' || replicas > 0 ? [] : staying;
    for (const pod of surplus) this.#stop(workload, pod);
    if (surplus.length > 0) return;
    if (paused || strategy === 'OnDelete') return;
    const waiting = young.some(({ ready }) => !ready);
    const wanted = replicas - partition;
    if (young.length < wanted) {
      if (!waiting) {
        const old = staying.find(({ template }) => template !== workload.template);
        // A Deployment has the new pod ready before the old one goes; the others make room first.
        if (old !== undefined && kind !== 'Deployment') this.#stop(workload, old);
        this.#create(workload);
        workload.stuckFor = 0;
      } else workload.stuckFor += 1;
    } else if (waiting) workload.stuckFor += 1;
    if (kind === 'Deployment') {
      const ready = young.filter(({ ready: isReady }) => isReady).length;
      const old = staying.filter(({ template }) => template !== workload.template);
      for (const pod of old.slice(0, Math.max(0, old.length + ready - replicas))) this.#stop(workload, pod);
      if (workload.stuckFor >= deadlineTicks) workload.deadlineExceeded = true;
    }
    if (kind === 'StatefulSet' && young.length === replicas && !waiting)
      workload.currentTemplate = workload.template;
  }

  #stop({ options }: WorkloadObject, pod: PodObject): void {
    pod.deletedAt = this.now + (options.stopTicks ?? 1) * 1000;
  }

  #create(workload: WorkloadObject): PodObject {
    this.#made += 1;
    const pod: PodObject = {
      name: `${workload.options.name}-${this.#made}`,
      labels: { app: workload.options.name },
      annotations: { ...workload.templateAnnotations },
      createdAt: Math.floor(this.now / 1000) * 1000,
      template: workload.template,
      environment: { ...this.secrets.get('app') },
      ...{ ready: false, deletedAt: null, phase: 'Running' },
    };
    this.pods.push(pod);
    return pod;
  }
}

/** What External Secrets writes as syncedResourceVersion: it changes with the annotations. */
export function versionOf(annotations: Annotations): string {
  return `1-${createHash('sha256').update(JSON.stringify(annotations)).digest('hex').slice(0, 12)}`;
}
