/**
 * Calls that are signed here because a client of the SDK would not fit: `@aws-sdk/client-ssm` alone takes
 * 80 KB minified, `client-eks` more, for one to three operations. The signature itself is the SDK's.
 */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { KeyturnError } from '../../contract/errors.ts';
import type { Clock } from '../../contract/ports.ts';
import { call } from './errors.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface Signing {
  readonly credentials: () => Promise<Credentials>;
  readonly clock: Clock;
}

export interface SignedRequest {
  /** Names the operation in errors. */
  readonly operation: string;
  /** `https://ssm.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  /** The name that is signed for. */
  readonly service: string;
  readonly region: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON; left out of a GET. */
  readonly body?: unknown;
  /**
   * Whether the call may be made again when its answer was lost. A throttled call is always made again.
   * Default: true.
   */
  readonly repeatable?: boolean;
}

/** Milliseconds for one attempt. */
const deadline = 15_000;
/** Most bytes of an answer: fifty invocations with the 2,500 characters that Systems Manager returns of each. */
const largestAnswer = 1024 * 1024;
const attempts = 4;
const firstPause = 200;

/** The signer, which also makes the presigned URL of a cluster's token. */
export function signer({ credentials }: Signing, service: string, region: string): SignatureV4 {
  return new SignatureV4({ credentials, service, region, sha256: Sha256 });
}

/**
 * Makes a signed call.
 * @returns the answer's JSON
 * @throws KeyturnError whose code begins with `Aws`, without anything of the answer but the error's name
 */
export async function signedCall(signing: Signing, request: SignedRequest): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(request.operation, () => attemptOf(signing, request));
    } catch (caught) {
      if (attempt >= attempts || !mayRepeat(caught, request.repeatable ?? true)) throw caught;
      await signing.clock.sleep(firstPause * 2 ** attempt);
    }
  }
}

function mayRepeat(caught: unknown, repeatable: boolean): boolean {
  if (!(caught instanceof KeyturnError)) return false;
  return caught.code === 'AwsThrottled' || (repeatable && caught.code === 'AwsUnreachable');
}

async function attemptOf(signing: Signing, request: SignedRequest): Promise<unknown> {
  const { endpoint, service, region, method, path, headers = {} } = request;
  const { protocol, hostname, port, host } = new URL(endpoint);
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const signed = await signer(signing, service, region).sign(
    {
      method,
      protocol,
      hostname,
      ...(port === '' ? {} : { port: Number(port) }),
      path,
      query: {},
      headers: { ...headers, host },
      ...(body === undefined ? {} : { body }),
    },
    { signingDate: signing.clock.now() },
  );
  const { response, answer } = await fetch(new URL(path, endpoint), {
    method,
    redirect: 'error',
    headers: Object.entries(signed.headers).filter(([name]) => name !== 'host'),
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(deadline),
  })
    .then(async (got) => ({ response: got, answer: parsed(await text(got)) }))
    .catch(asSystemError);
  if (response.ok) return answer;
  throw new AnswerError(nameIn(answer, response), response);
}

/** What `call` knows an error of AWS by: its name and the id of its request. */
class AnswerError extends Error {
  readonly $metadata: { readonly requestId: string | undefined };

  constructor(name: string, response: Response) {
    super();
    this.name = name;
    this.$metadata = { requestId: response.headers.get('x-amzn-requestid') ?? undefined };
  }
}

/** fetch hides a socket's error in the cause of its own, with a code of the system or one of undici. */
function asSystemError(caught: unknown): never {
  const cause = caught instanceof Error && caught.cause instanceof Error ? caught.cause : null;
  if (cause === null || !('code' in cause)) throw caught;
  throw Object.assign(new Error('', { cause }), {
    code: /^E[A-Z_]+$/.test(String(cause.code)) ? cause.code : 'ECONNRESET',
  });
}

async function text(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body ?? []) {
    total += chunk.byteLength;
    if (total > largestAnswer) throw new Error('The answer is longer than it may be.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/**
 * The error's name: `__type` of the JSON protocols, with a namespace before `#`; a header of the REST ones
 * (Smithy specification, "AWS JSON 1.1" and "AWS restJson1", "Operation error serialization").
 */
function nameIn(answer: unknown, response: Response): string {
  const header = response.headers.get('x-amzn-errortype');
  const member = typeof answer === 'object' && answer !== null && '__type' in answer ? answer.__type : null;
  const name = (header ?? String(member ?? '')).split(':')[0]?.split('#').at(-1) ?? '';
  if (/^[A-Za-z][A-Za-z0-9.]{0,80}$/.test(name)) return name;
  if (response.status === 429) return 'ThrottlingException';
  return response.status >= 500 ? 'ServerException' : `HTTP ${response.status}`;
}

/** Node's hashes, in the shape that the signer takes. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }

  reset(): void {
    throw new Error('A hash is used once.');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}

/** The credentials that Lambda puts into a function's environment ("Defined runtime environment variables"). */
export async function environmentCredentials(): Promise<Credentials> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
    throw new KeyturnError({
      code: 'SettingsInvalid',
      message:
        'The environment must hold credentials; AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set.',
    });
  }
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
  };
}

/** @throws KeyturnError SettingsInvalid outside a function. */
export function environmentRegion(): string {
  const region = process.env.AWS_REGION;
  if (region !== undefined) return region;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: 'The environment must name the Region in AWS_REGION; it is not set.',
  });
}

/**
 * Where a service answers. AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> override it, as in the SDKs (SDKs
 * and Tools reference guide, "Service-specific endpoints").
 */
export function endpointOf(service: string, region: string): string {
  const { env } = process;
  return (
    env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] ??
    env.AWS_ENDPOINT_URL ??
    `https://${hostOf(service, region)}`
  );
}

/** `sts.eu-central-1.amazonaws.com`; China has its own domain (AWS general reference, "Service endpoints"). */
export function hostOf(service: string, region: string): string {
  return `${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}
