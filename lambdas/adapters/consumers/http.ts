import { createHmac } from 'node:crypto';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../contract/errors.ts';
import type { Clock } from '../../contract/ports.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import { parsedJson } from '../../hooks/json-pointer.ts';
import { hook, type RedeployHooks, type SignedRequest, type SigningKey } from '../../hooks/redeploy/http.ts';
import { call } from '../aws/errors.ts';
import { secretTags } from '../aws/secret-tags.ts';
import { type GuardedHttp, guardedHttp } from '../guarded-http.ts';
import { clock } from '../platform.ts';

/** Milliseconds for one exchange, and the most that is read of its answer. */
const deadline = 5_000;
const maximumBytes = 65_536;

/** Fewest bytes of a key: as many as the hash has (RFC 2104 section 3). */
const shortestKey = 32;

/** Signed requests. The key is read for each one, so that a rotated key is used at once; it stays in here. */
export function redeployHooks(
  secrets: SecretsManagerClient,
  http: GuardedHttp,
  { now }: Pick<Clock, 'now'>,
): RedeployHooks {
  return {
    ...secretTags(secrets),

    async ask(request) {
      const url = new URL(request.url);
      const timestamp = String(Math.floor(now().getTime() / 1000));
      const key = await signingKey(request.key, secrets);
      const signature = signed(key, timestamp, request);
      return http.send({
        method: request.method,
        url: request.url,
        headers: new Map([
          ['keyturn-timestamp', new Sensitive(timestamp)],
          ['keyturn-signature', new Sensitive(signature)],
        ]),
        ...(request.body === undefined ? {} : { body: request.body }),
        // The address comes from the deployment file, and so does the one host that is allowed.
        allowedHosts: [url.hostname.replace(/^\[|\]$/g, '')],
        allowPrivate: request.allowPrivate,
        deadline,
        maximumBytes,
      });
    },
  };
}

/** `v1=` and the HMAC-SHA-256 over timestamp, method, path with query, and body, joined by line feeds. */
export function signed(key: Sensitive, timestamp: string, { method, url, body }: SignedRequest): string {
  const { pathname, search } = new URL(url);
  const text = [timestamp, method, `${pathname}${search}`, body ?? ''].join('\n');
  return `v1=${createHmac('sha256', key.reveal()).update(text, 'utf8').digest('hex')}`;
}

async function signingKey(
  { secret, variable }: SigningKey,
  secrets: SecretsManagerClient,
): Promise<Sensitive> {
  const answer = await call('GetSecretValue', () =>
    secrets.send(new GetSecretValueCommand({ SecretId: secret })),
  );
  const key = variable === undefined ? answer.SecretString : memberOf(answer.SecretString ?? '', variable);
  if (typeof key !== 'string' || Buffer.byteLength(key) < shortestKey) {
    throw new KeyturnError({
      code: 'DocumentInvalid',
      message: `The signing key ${variable ?? ''} in ${secret} must be text of at least ${shortestKey} bytes; it is not.`,
    });
  }
  return new Sensitive(key);
}

function memberOf(text: string, name: string): unknown {
  const document = parsedJson(text);
  return typeof document === 'object' && document !== null && Object.hasOwn(document, name)
    ? Reflect.get(document, name)
    : undefined;
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () =>
  hook.connect(redeployHooks(new SecretsManagerClient({}), guardedHttp(), clock));
