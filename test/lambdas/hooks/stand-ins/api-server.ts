/**
 * An API server over real TLS: authentication by EKS tokens, RBAC, GET, LIST in pages and merge patches of the
 * kinds that Keyturn touches. Answers a secret's data only to a request that does not ask for metadata alone.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { RoleRule } from '../../../../lambdas/hooks/kubernetes/role-rules.ts';
import type { Annotations, Cluster, ExternalSecretObject, PodObject, WorkloadObject } from './cluster.ts';
import { getCallerIdentity, type Identity } from './sts.ts';
import { testOnlyServerCertificate, testOnlyServerKey } from './test-only-certificates.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly answer: string;
  readonly token: string;
}

type Json = Record<string, unknown>;

/** What happens to a request instead of its handling. */
export type Outage = 'cut' | { readonly status: number; readonly object: string };

const plurals: Readonly<Record<string, WorkloadObject['options']['kind']>> = {
  deployments: 'Deployment',
  statefulsets: 'StatefulSet',
  daemonsets: 'DaemonSet',
};

export class ApiServer {
  readonly name: string;
  readonly namespace = 'shop';
  readonly cluster: Cluster;
  readonly seen: Seen[] = [];
  rules: readonly RoleRule[] = [];
  /** One for each of the next requests. */
  readonly outages: Outage[] = [];
  /** Version of the External Secrets API that is served. */
  externalSecretsVersion = 'v1';
  readonly #identity: Identity;
  readonly #server: Server;

  constructor(name: string, cluster: Cluster, identity: Identity) {
    this.name = name;
    this.cluster = cluster;
    this.#identity = identity;
    this.#server = createServer(
      { key: testOnlyServerKey, cert: testOnlyServerCertificate },
      (request, response) => {
        this.#serve(request, response).catch(() => response.destroy());
      },
    );
    this.#server.on('tlsClientError', () => undefined);
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const token = String(request.headers.authorization).replace(/^Bearer /, '');
    const url = new URL(request.url ?? '/', 'https://localhost');
    const outage = this.outages.shift();
    if (outage === 'cut') {
      response.destroy();
      return;
    }
    const { status, object } = outage ?? this.#answer(request, url, body, token);
    const text = typeof object === 'string' ? object : JSON.stringify(object);
    this.seen.push({
      method: request.method ?? '',
      path: url.pathname + url.search,
      body,
      answer: text,
      token,
    });
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(text);
  }

  #answer(
    request: IncomingMessage,
    url: URL,
    body: string,
    token: string,
  ): { status: number; object: Json | string } {
    if (!this.#isKnown(token)) return failure(401, 'Unauthorized', 'Unauthorized');
    const match =
      /^\/(?:api|apis\/([a-z.-]+))\/([a-z0-9]+)\/namespaces\/([^/]+)\/([a-z]+)(?:\/([^/]+))?$/.exec(
        url.pathname,
      );
    if (match === null) return failure(404, 'NotFound', 'page not found');
    const [, group = '', version = '', namespace = '', resource = '', name] = match;
    const verb = request.method === 'PATCH' ? 'patch' : name === undefined ? 'list' : 'get';
    if (namespace !== this.namespace || !this.#allows(verb, group, resource, name)) {
      return failure(403, 'Forbidden', `${resource} "${name}" is forbidden: ${body}`);
    }
    const patch = verb === 'patch' ? parsedPatch(request, body) : null;
    if (patch === 'unsupported') return failure(415, 'UnsupportedMediaType', 'only merge patches here');
    if (resource === 'pods') return { status: 200, object: this.#list(url) };
    if (resource === 'secrets') return this.#patchSecret(name ?? '', patch ?? {}, request);
    if (resource === 'externalsecrets') {
      if (version !== this.externalSecretsVersion) return failure(404, 'NotFound', 'page not found');
      const external = this.cluster.externalSecrets.find((one) => one.name === name);
      if (external === undefined) return failure(404, 'NotFound', `externalsecrets "${name}" not found`);
      if (patch !== null) external.annotations = { ...external.annotations, ...annotationsIn(patch) };
      return { status: 200, object: externalSecretShape(external) };
    }
    const workload = this.cluster.workloads.find(
      ({ options }) => options.kind === plurals[resource] && options.name === name,
    );
    if (workload === undefined) return failure(404, 'NotFound', `${resource} "${name}" not found`);
    if (patch !== null) {
      const template = member(member(patch, 'spec'), 'template');
      const { replicas } = member(patch, 'spec');
      this.cluster.changeWorkload(
        workload,
        annotationsIn(patch),
        annotationsIn(template),
        typeof replicas === 'number' ? replicas : workload.replicas,
      );
    }
    return { status: 200, object: workloadShape(workload, this.cluster) };
  }

  /** As aws-iam-authenticator checks it: the prefix, no padding, an STS host, the signed name of this cluster. */
  #isKnown(token: string): boolean {
    const encoded = /^k8s-aws-v1\.([A-Za-z0-9_-]+)$/.exec(token)?.[1];
    if (encoded === undefined) return false;
    const url = new URL(Buffer.from(encoded, 'base64url').toString('utf8'));
    if (url.protocol !== 'https:' || !/^sts\.[a-z0-9-]+\.amazonaws\.com$/.test(url.host)) return false;
    if (Number(url.searchParams.get('X-Amz-Expires')) > 60) return false;
    if (!url.searchParams.get('X-Amz-SignedHeaders')?.split(';').includes('x-k8s-aws-id')) return false;
    const headers = { host: url.host, 'x-k8s-aws-id': this.name };
    return getCallerIdentity(url, headers, this.#identity, this.cluster.now).ok;
  }

  #allows(verb: string, group: string, resource: string, name: string | undefined): boolean {
    return this.rules.some(
      (rule) =>
        rule.apiGroups.includes(group) &&
        rule.resources.includes(resource) &&
        rule.verbs.includes(verb) &&
        (rule.resourceNames === undefined || (name !== undefined && rule.resourceNames.includes(name))),
    );
  }

  #list(url: URL): Json {
    const wanted = (url.searchParams.get('labelSelector') ?? '').split(',').map((part) => part.split('='));
    const all = this.cluster.pods.filter(({ labels }) =>
      wanted.every(([key = '', value]) => labels[key] === value),
    );
    const limit = Number(url.searchParams.get('limit') ?? '500');
    const from = Number(url.searchParams.get('continue') ?? '0');
    const more = from + limit < all.length ? { continue: String(from + limit) } : {};
    return {
      kind: 'PodList',
      metadata: { resourceVersion: '1', ...more },
      items: all.slice(from, from + limit).map(podShape),
    };
  }

  #patchSecret(name: string, patch: Json, request: IncomingMessage): { status: number; object: Json } {
    const data = this.cluster.secrets.get(name);
    if (data === undefined) return failure(404, 'NotFound', `secrets "${name}" not found`);
    for (const [key, value] of Object.entries(member(patch, 'data'))) {
      data[key] = Buffer.from(String(value), 'base64').toString('utf8');
    }
    const metadata = { name, namespace: this.namespace };
    return request.headers.accept === 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
      ? { status: 200, object: { kind: 'PartialObjectMetadata', metadata } }
      : { status: 200, object: { kind: 'Secret', metadata, data } };
  }
}

function parsedPatch(request: IncomingMessage, body: string): Json | 'unsupported' {
  return request.headers['content-type'] === 'application/merge-patch+json'
    ? JSON.parse(body)
    : 'unsupported';
}

function member(object: Json, name: string): Json {
  const value = object[name];
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function annotationsIn(object: Json): Annotations {
  return member(member(object, 'metadata'), 'annotations') as Annotations;
}

/** The message quotes what was sent, as API servers do. */
function failure(code: number, reason: string, message: string): { status: number; object: Json } {
  return { status: code, object: { kind: 'Status', status: 'Failure', reason, message, code } };
}

const iso = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;

function podShape({ name, labels, annotations, createdAt, deletedAt, ready, phase }: PodObject): Json {
  return {
    metadata: {
      ...{ name, labels, annotations, creationTimestamp: iso(createdAt) },
      ...(deletedAt === null ? {} : { deletionTimestamp: iso(deletedAt) }),
    },
    status: {
      phase,
      startTime: iso(createdAt),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

function externalSecretShape(external: ExternalSecretObject): Json {
  const { name, annotations, policy, refreshTime, synced, ready } = external;
  return {
    kind: 'ExternalSecret',
    metadata: { name, annotations },
    spec: { refreshPolicy: policy },
    status: {
      ...(refreshTime === null ? {} : { refreshTime: iso(refreshTime) }),
      syncedResourceVersion: synced,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', reason: 'SecretSynced' }],
    },
  };
}

/** Numbers that are zero are left out, as the API server's JSON does. */
function workloadShape(workload: WorkloadObject, cluster: Cluster): Json {
  const { options, annotations, templateAnnotations, generation, observedGeneration } = workload;
  const pods = cluster
    .podsOf(workload)
    .filter(({ deletedAt, phase }) => deletedAt === null && phase === 'Running');
  const updated = pods.filter(({ template }) => template === workload.template).length;
  const ready = pods.filter((pod) => pod.ready).length;
  const counts =
    options.kind === 'DaemonSet'
      ? { desiredNumberScheduled: options.replicas, updatedNumberScheduled: updated, numberAvailable: ready }
      : { replicas: pods.length, updatedReplicas: updated, readyReplicas: ready, availableReplicas: ready };
  return {
    kind: options.kind,
    metadata: {
      name: options.name,
      generation,
      resourceVersion: String(workload.resourceVersion),
      annotations,
    },
    spec: {
      ...(options.kind === 'DaemonSet' ? {} : { replicas: workload.replicas }),
      ...(options.paused ? { paused: true } : {}),
      selector: { matchLabels: { app: options.name } },
      template: { metadata: { annotations: templateAnnotations, labels: { app: options.name } } },
      updateStrategy: {
        type: options.strategy ?? 'RollingUpdate',
        rollingUpdate: { partition: options.partition ?? 0 },
      },
    },
    status: {
      observedGeneration,
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
      ...(options.kind === 'StatefulSet'
        ? {
            currentRevision: `${options.name}-${workload.currentTemplate}`,
            updateRevision: `${options.name}-${workload.template}`,
          }
        : {}),
      conditions: [
        workload.deadlineExceeded
          ? { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }
          : { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated' },
      ],
    },
  };
}
