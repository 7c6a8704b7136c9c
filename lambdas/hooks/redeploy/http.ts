import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import { defineRedeploy, type IamStatement, type Renewal, type Renewing } from '../../contract/hooks.ts';
import type { HttpResponse } from '../../contract/ports.ts';
import { hostOf, urlBreaks } from '../allowed-url.ts';
import { atPointer, parsedJson } from '../json-pointer.ts';
import { longestTarget, mark, markedAt, markStatements, type SecretTags } from '../request-mark.ts';

/** What a request asks; the adapter signs it with the key, which it reads itself. */
export interface SignedRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  /** JSON with ids only; left out with GET. */
  readonly body?: string;
  readonly key: SigningKey;
  readonly allowPrivate: readonly string[];
}

export interface SigningKey {
  /** Full ARN of the secret that holds the key. */
  readonly secret: string;
  /** The member of the secret's JSON object that is the key; left out: the whole text is. */
  readonly variable?: string | undefined;
}

export interface RedeployHooks extends SecretTags {
  /** Signs and sends. Statuses from 200 to 299 and from 400 on are answers. */
  ask(request: SignedRequest): Promise<HttpResponse>;
}

const SecretArn = z
  .string()
  .check(
    z.regex(
      /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,512}-[A-Za-z0-9]{6}$/,
      'must be the full ARN of a secret, with its six characters at the end',
    ),
  );
const KeyArn = z
  .string()
  .check(
    z.regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key\/[A-Za-z0-9-]+$/, 'must be the ARN of a KMS key'),
  );
const Pointer = z.string().check(z.startsWith('/', 'must be a JSON pointer, a slash first'));

const Consumer = z.object({
  kind: z.literal('http'),
  /** Where the POST goes: https. Its host is the only one that is ever asked. */
  url: z.string(),
  /** What the requests are signed with: another secret than the one that rotates. */
  key: z.strictObject({
    secret: SecretArn,
    /** The customer key that it is encrypted with, if there is one. */
    kmsKey: z.optional(KeyArn),
    variable: z.optional(z.string().check(z.minLength(1))),
  }),
  /** How to see that everything has restarted. Either this or `final`. */
  look: z.optional(
    z.strictObject({
      /** Path and query on the host of `url`; `{secretId}` and `{versionId}` are replaced. */
      path: z.string().check(z.startsWith('/', 'must begin with a slash')),
      /** JSON pointer (RFC 6901) to the member of the answer that tells. */
      pointer: Pointer,
      /** Its value when everything has restarted. */
      equals: z.union([z.string(), z.number(), z.boolean()]),
      /** JSON pointer to when the oldest instance that runs has started, ISO 8601; must be after the version. */
      startedAt: z.optional(Pointer),
    }),
  ),
  /** True: an answer 200–299 to the POST says that everything has restarted already. Either this or `look`. */
  final: z.optional(z.literal(true)),
  /** Private ranges that the name may lead to, as CIDRs. Default: none. */
  allowPrivate: z.optional(z.array(z.string())),
});
type Consumer = z.infer<typeof Consumer>;

/**
 * A service of the team that restarts what reads the secret. It gets a POST with `{"schema":1,"secretId",
 * "versionId","since"}`, which may come more than once and must then do no harm, and is asked by GET.
 *
 * Every request has the headers `keyturn-timestamp` (seconds since 1970) and `keyturn-signature`, `v1=` and
 * the lower-case hexadecimal HMAC-SHA-256 of timestamp, method, path with query, and body, joined by line
 * feeds. The receiver compares it in constant time and refuses a timestamp more than 300 s away from its own
 * clock, so that a recorded request is soon worth nothing.
 */
export const hook = defineRedeploy<Consumer, RedeployHooks>({
  kind: 'http',
  consumer: Consumer,

  statements: ({ key, final, url }): readonly IamStatement[] => [
    { actions: ['secretsmanager:GetSecretValue'], resources: [key.secret] },
    ...(key.kmsKey === undefined
      ? []
      : [
          {
            actions: ['kms:Decrypt'],
            resources: [key.kmsKey],
            conditions: {
              StringEquals: {
                'kms:ViaService': 'secretsmanager.{region}.amazonaws.com',
                'kms:EncryptionContext:SecretARN': key.secret,
              },
            },
          },
        ]),
    ...(final === true ? markStatements(hostOf(url)) : []),
  ],

  check({ url, look, final, allowPrivate = [] }) {
    if ((look === undefined) === (final === undefined)) {
      return 'one of look and final must be given, and not both: how to see that everything has restarted.';
    }
    if (final === true && URL.canParse(url) && hostOf(url).length > longestTarget) {
      return `url must have a host of at most ${longestTarget} characters with final: a tag is named after it.`;
    }
    return urlBreaks('url', url, allowPrivate);
  },

  async begin(consumer, renewing, hooks, clock) {
    const { look, final } = consumer;
    const host = hostOf(consumer.url);
    if (look !== undefined && (await looked(consumer, look, renewing, hooks)).renewed) return;
    if (final === true && (await markedAt(host, renewing, hooks)) !== null) return;
    const { status } = await hooks.ask(postOf(consumer, renewing));
    if (status < 200 || status > 299) throw notTaken(host, status);
    if (final === true) await mark(host, renewing, clock.now(), hooks);
  },

  async look(consumer, renewing, hooks) {
    if (consumer.look !== undefined) return looked(consumer, consumer.look, renewing, hooks);
    const host = hostOf(consumer.url);
    return (await markedAt(host, renewing, hooks)) === null
      ? { renewed: false, reason: `${host} has not taken the request` }
      : {
          renewed: true,
          unproven: `${host} took the request, which counts as restarted; nothing else was asked`,
        };
  },
});

async function looked(
  consumer: Consumer,
  look: NonNullable<Consumer['look']>,
  { secretId, versionId, since }: Renewing,
  hooks: RedeployHooks,
): Promise<Renewal> {
  const host = hostOf(consumer.url);
  const path = look.path
    .replaceAll('{secretId}', encodeURIComponent(secretId))
    .replaceAll('{versionId}', encodeURIComponent(versionId));
  const { origin } = new URL(consumer.url);
  let answer: HttpResponse;
  try {
    answer = await hooks.ask({ method: 'GET', url: `${origin}${path}`, ...shared(consumer) });
  } catch (error) {
    // A service that restarts itself is away for a moment.
    if (error instanceof KeyturnError && error.code === 'HookUnreachable') {
      return { renewed: false, reason: error.message.replace(/\.$/, '') };
    }
    throw error;
  }
  if (answer.status < 200 || answer.status > 299) {
    return { renewed: false, reason: `${host} answered ${answer.status}` };
  }
  const body = parsedJson(answer.body);
  if (atPointer(body, look.pointer) !== look.equals) {
    return { renewed: false, reason: `${host} does not say ${String(look.equals)} at ${look.pointer} yet` };
  }
  if (look.startedAt === undefined) {
    return {
      renewed: true,
      unproven: `${host} says that it has restarted, not when: startedAt is not declared`,
    };
  }
  const startedAt = atPointer(body, look.startedAt);
  return typeof startedAt === 'string' && new Date(startedAt) > since
    ? { renewed: true }
    : { renewed: false, reason: `${host} names no start after the version at ${look.startedAt}` };
}

function postOf(consumer: Consumer, { secretId, versionId, since }: Renewing): SignedRequest {
  const body = JSON.stringify({ schema: 1, secretId, versionId, since: since.toISOString() });
  return { method: 'POST', url: consumer.url, body, ...shared(consumer) };
}

function shared({ key, allowPrivate = [] }: Consumer): Pick<SignedRequest, 'key' | 'allowPrivate'> {
  return { key: { secret: key.secret, variable: key.variable }, allowPrivate };
}

function notTaken(host: string, status: number): KeyturnError {
  // 408, 425 and 429 ask for another try (RFC 9110, RFC 8470, RFC 6585); other statuses below 500 are final.
  const retryable = status >= 500 || [408, 425, 429].includes(status);
  return new KeyturnError({
    code: retryable ? 'HookUnreachable' : 'HookRefused',
    message: `${host} must take the request with a status from 200 to 299; it answered ${status}.`,
    retryable,
  });
}
