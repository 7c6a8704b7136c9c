/** HTTPS to the API server of an EKS cluster: its own CA, deadlines, size caps, errors without bodies. */
import { Agent, request } from 'node:https';
import * as z from 'zod/mini';
import { type ErrorCode, KeyturnError } from '../../contract/errors.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import { endpointOf, environmentRegion, type Signing, signedCall } from '../aws/signed.ts';
import { clusterTokens } from './token.ts';

export interface ClusterRequest {
  readonly cluster: string;
  /** Null: the Region of the function. */
  readonly region: string | null;
  readonly method: 'GET' | 'PATCH';
  /** With its query. */
  readonly path: string;
  /** What is asked for, as RBAC names it: `patch deployments.apps shop/web`. */
  readonly action: string;
  /** JSON, sent as a merge patch. May hold values of secrets. */
  readonly body?: string;
  /** Asks for the metadata alone, so that no data travels back. Default: false. */
  readonly metadataOnly?: boolean;
}

export type AskCluster = (asked: ClusterRequest) => Promise<unknown>;

/** Milliseconds for the whole exchange. */
const deadline = 15_000;
/** Most bytes of an answer: a page of a hundred pods is one or two megabytes. */
const largestAnswer = 8 * 1024 * 1024;
/** Milliseconds that a cluster's address is kept: long for one stage, short for a cluster that is replaced. */
const descriptionLifetime = 300_000;

const DescribeCluster = z.object({
  cluster: z.object({
    endpoint: z.string(),
    certificateAuthority: z.object({ data: z.string() }),
  }),
});

interface Door {
  readonly url: URL;
  readonly agent: Agent;
  readonly until: number;
}

export function clusterExchange(signing: Signing): AskCluster {
  const tokens = clusterTokens(signing);
  const doors = new Map<string, Door>();

  async function doorOf(cluster: string, region: string): Promise<Door> {
    const key = `${region}/${cluster}`;
    const known = doors.get(key);
    if (known !== undefined && signing.clock.now().getTime() < known.until) return known;
    known?.agent.destroy();
    const door = await describe(signing, cluster, region);
    doors.set(key, door);
    return door;
  }

  return async (asked) => {
    const region = asked.region ?? environmentRegion();
    const door = await doorOf(asked.cluster, region);
    const token = await tokens(asked.cluster, region);
    const { status, text } = await exchange(asked, door, token);
    if (status >= 200 && status < 300) return json(text, asked);
    throw refusal(asked, status, text);
  };
}

async function describe(signing: Signing, cluster: string, region: string): Promise<Door> {
  const answer = await signedCall(signing, {
    operation: 'DescribeCluster',
    endpoint: endpointOf('eks', region),
    service: 'eks',
    region,
    method: 'GET',
    path: `/clusters/${encodeURIComponent(cluster)}`,
  });
  const parsed = DescribeCluster.safeParse(answer);
  if (!parsed.success) {
    throw new KeyturnError({
      code: 'AwsRefused',
      message: `The cluster ${cluster} must have an endpoint and a certificate authority; DescribeCluster names none.`,
      hint: 'A cluster that is still being created has neither: wait until it is ACTIVE.',
      retryable: true,
    });
  }
  const { endpoint, certificateAuthority } = parsed.data.cluster;
  const url = new URL(endpoint);
  if (url.protocol !== 'https:') {
    throw new KeyturnError({
      code: 'AwsRefused',
      message: `The endpoint of the cluster ${cluster} must be https; it is ${url.protocol}`,
    });
  }
  return {
    url,
    // Node checks the certificate's chain against this CA alone, and its name against the endpoint's.
    agent: new Agent({
      ca: Buffer.from(certificateAuthority.data, 'base64'),
      minVersion: 'TLSv1.2',
      keepAlive: true,
      maxSockets: 10,
    }),
    until: signing.clock.now().getTime() + descriptionLifetime,
  };
}

function exchange(
  asked: ClusterRequest,
  { url, agent }: Door,
  token: Sensitive,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        host: url.hostname,
        port: url.port === '' ? 443 : Number(url.port),
        path: asked.path,
        method: asked.method,
        signal: AbortSignal.timeout(deadline),
        headers: {
          authorization: `Bearer ${token.reveal()}`,
          accept: asked.metadataOnly
            ? 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
            : 'application/json',
          'user-agent': 'keyturn',
          ...(asked.body === undefined
            ? {}
            : {
                'content-type': 'application/merge-patch+json',
                'content-length': Buffer.byteLength(asked.body),
              }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let total = 0;
        response.on('data', (chunk: Buffer) => {
          total += chunk.byteLength;
          if (total > largestAnswer) response.destroy(new Error('too long'));
          else chunks.push(chunk);
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
        response.on('error', (caught) => reject(unreachable(asked, caught)));
      },
    );
    sent.on('error', (caught) => reject(unreachable(asked, caught)));
    sent.end(asked.body);
  });
}

/** Codes of certificates that are refused (Node.js documentation, "X509 certificate error codes"). */
const certificateCodes =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|INVALID_CA)/;

function unreachable({ action, cluster }: ClusterRequest, caught: Error): KeyturnError {
  const code = 'code' in caught && typeof caught.code === 'string' ? caught.code : caught.name;
  if (certificateCodes.test(code)) {
    return new KeyturnError({
      code: 'AwsRefused',
      message: `The API server of the cluster ${cluster} must show a certificate of the cluster's own CA for its endpoint; it was refused (${code}).`,
      hint: 'Something stands between the function and the cluster, or its CA was replaced.',
    });
  }
  return new KeyturnError({
    code: 'AwsUnreachable',
    message: `The API server of the cluster ${cluster} gave no complete answer to "${action}" (${code}).`,
    hint: 'The endpoint must be reachable from the function: public access, or the function in the VPC.',
    retryable: true,
  });
}

function json(text: string, { action }: ClusterRequest): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyturnError({
      code: 'AwsRefused',
      message: `The answer to "${action}" must be JSON; it is not.`,
    });
  }
}

interface Meaning {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint?: string;
}

/** The API server's answers (Kubernetes API conventions, "HTTP Status codes"). */
const meanings: ReadonlyMap<number, Meaning> = new Map([
  [
    401,
    {
      code: 'AwsDenied',
      retryable: true,
      hint: 'The cluster does not know the role of this function: make an EKS access entry for it.',
    },
  ],
  [
    403,
    {
      code: 'AwsDenied',
      retryable: true,
      hint: 'Give the group of its access entry a Role with this rule in the namespace.',
    },
  ],
  [
    404,
    {
      code: 'AwsNotFound',
      retryable: false,
      hint: 'The object must exist under this name, and its API must be served in this version.',
    },
  ],
  [409, { code: 'AwsRefused', retryable: true }],
  [429, { code: 'AwsThrottled', retryable: true }],
]);

/** The answer's message is left out: an API server quotes what it refuses. Its reason is one word. */
function refusal(asked: ClusterRequest, status: number, text: string): KeyturnError {
  const unknown: Meaning =
    status >= 500 ? { code: 'AwsUnreachable', retryable: true } : { code: 'AwsRefused', retryable: false };
  const { code, retryable, hint } = meanings.get(status) ?? unknown;
  return new KeyturnError({
    code,
    message: `The cluster ${asked.cluster} refused "${asked.action}" with ${status}${reasonIn(text)}.`,
    retryable,
    ...(hint === undefined ? {} : { hint }),
  });
}

const Status = z.object({ kind: z.literal('Status'), reason: z.string().check(z.regex(/^[A-Za-z]{1,40}$/)) });

function reasonIn(text: string): string {
  try {
    const status = Status.safeParse(JSON.parse(text));
    return status.success ? ` ${status.data.reason}` : '';
  } catch {
    return '';
  }
}
