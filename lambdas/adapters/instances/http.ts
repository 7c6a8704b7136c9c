/** A platform's API of instances over HTTP, authorised by a secret that is read here and nowhere else. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../contract/errors.ts';
import type { Clock, Http } from '../../contract/ports.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import type { Credential } from '../../hooks/instances/fleet.ts';
import { hook, type InstancesApi } from '../../hooks/instances/http.ts';
import { call } from '../aws/errors.ts';
import { http } from '../http.ts';
import { clock } from '../platform.ts';

/** Milliseconds for one exchange, and the most that is read of an answer: a page of a list may be long. */
const deadline = 15_000;
const maximumBytes = 1_048_576;

/** Milliseconds for which a credential is kept: one that rotates must reach a container that stays warm. */
const kept = 60_000;

export interface InstancesAccess {
  readonly http: Http;
  readonly clock: Clock;
  /** The whole value of a secret. */
  read(secretId: string): Promise<Sensitive>;
}

export function instancesApi({ http, clock, read }: InstancesAccess): InstancesApi {
  const values = new Map<string, { readonly value: Sensitive; readonly until: number }>();

  async function headerOf(credential: Credential): Promise<Sensitive> {
    const { secret, member, prefix } = credential;
    const now = clock.now().getTime();
    const known = values.get(secret);
    const value = known !== undefined && known.until > now ? known.value : await read(secret);
    if (value !== known?.value) values.set(secret, { value, until: now + kept });
    return new Sensitive(`${prefix}${memberOf(value, member).reveal()}`);
  }

  return {
    async send({ method, url, credential }) {
      const headers = new Map([
        ['accept', new Sensitive('application/json')],
        [credential.header, await headerOf(credential)],
      ]);
      return http.send({ method, url, headers, deadline, maximumBytes });
    },
  };
}

function memberOf(value: Sensitive, member: string | undefined): Sensitive {
  if (member === undefined) return value;
  let found: unknown;
  try {
    const parsed: unknown = JSON.parse(value.reveal());
    found = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, member) : undefined;
  } catch {
    // The parser's message quotes the value.
  }
  if (typeof found === 'string') return new Sensitive(found);
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `The secret of instances.credential must be a JSON object with the text member ${member}; it is not.`,
  });
}

export const connected = () => {
  const client = new SecretsManagerClient({});
  return hook.connect(
    instancesApi({
      http,
      clock,
      async read(SecretId) {
        const answer = await call('GetSecretValue', () =>
          client.send(new GetSecretValueCommand({ SecretId })),
        );
        return new Sensitive(answer.SecretString ?? '');
      },
    }),
  );
};
