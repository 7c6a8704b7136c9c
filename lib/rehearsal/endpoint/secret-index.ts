/**
 * Watches Secrets Manager from outside: which secrets there are (for IAM), and which values they ever held (for the
 * search for leaks).
 */

import { arn } from './arn.ts';
import type { CanarySearch } from './canaries.ts';
import type { SecretFacts } from './iam-resources.ts';
import { isObject, text } from './json-shape.ts';
import type { Caller, Json, JsonObject, Service } from './wire.ts';

export interface SecretIndexOptions {
  readonly canaries: CanarySearch;
  /** Members of documents that are no secrets, such as a key's id or version; `_keyturn` never is one. */
  readonly publicMembers: Set<string>;
}

/** Secrets Manager with an index of its secrets beside it. */
export class IndexedSecretsManager implements Service {
  readonly signingName = 'secretsmanager';
  readonly #inner: Service;
  readonly #options: SecretIndexOptions;
  readonly #secrets = new Map<string, { name: string; facts: SecretFacts }>();

  constructor(inner: Service, options: SecretIndexOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  async handle(operation: string, input: JsonObject, caller: Caller): Promise<JsonObject> {
    // Before the call: a function may print a value while its call is under way.
    this.#watch(input);
    const output = await this.#inner.handle(operation, input, caller);
    const secretArn = text(output.ARN);
    if (secretArn !== undefined) this.#note(secretArn, operation, input, output);
    return output;
  }

  /** By name, ARN, or ARN without its suffix; null when nobody created such a secret here. */
  find(secretId: string): SecretFacts | null {
    for (const [secretArn, { name, facts }] of this.#secrets) {
      if ([secretArn, name, secretArn.slice(0, -7)].includes(secretId)) return facts;
    }
    return null;
  }

  #note(secretArn: string, operation: string, input: JsonObject, output: JsonObject): void {
    const known = this.#secrets.get(secretArn);
    const rotationLambdaArn = operation === 'RotateSecret' ? text(input.RotationLambdaARN) : undefined;
    const kmsKeyArn = keyArn(text(input.KmsKeyId));
    this.#secrets.set(secretArn, {
      name: text(output.Name) ?? known?.name ?? '',
      facts: {
        ...(known?.facts ?? {}),
        arn: secretArn,
        ...(rotationLambdaArn === undefined ? {} : { rotationLambdaArn }),
        ...(kmsKeyArn === undefined ? {} : { kmsKeyArn }),
      },
    });
  }

  #watch(input: JsonObject): void {
    const name = text(input.Name) ?? text(input.SecretId) ?? 'secret';
    const value = text(input.SecretString);
    if (value !== undefined) this.#watchValue(name, value);
    const binary = text(input.SecretBinary);
    if (binary !== undefined)
      this.#options.canaries.watch(Buffer.from(binary, 'base64').toString('latin1'), name);
  }

  #watchValue(name: string, value: string): void {
    const { canaries, publicMembers } = this.#options;
    const document = parsed(value);
    if (!isObject(document)) {
      watchStructured(canaries, value, name);
      return;
    }
    for (const [member, content] of Object.entries(document)) {
      if (member === '_keyturn' || publicMembers.has(member) || typeof content !== 'string') continue;
      watchStructured(canaries, content, `${name} ${member}`);
    }
  }
}

/**
 * Of a PEM or a connection string only the whole and its secret part count: a piece of twelve characters of the
 * rest (`-----BEGIN RSA`, a host, the public modulus) is known to everybody.
 */
function watchStructured(canaries: CanarySearch, value: string, label: string): void {
  const structured = /-----BEGIN |:\/\/|\bpassword=/.test(value);
  canaries.watch(value, label, { pieces: !structured });
  const password = /:\/\/[^:/@]*:([^@]+)@/.exec(value)?.[1] ?? /\bpassword='?([^'\s]+)/.exec(value)?.[1];
  if (password !== undefined) canaries.watch(decoded(password), `${label} (password)`);
  const body = /-----BEGIN [^-]+-----([\s\S]+?)-----END/.exec(value)?.[1]?.replace(/\s/g, '');
  if (body !== undefined) canaries.watch(body, `${label} (body)`, { pieces: false });
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function parsed(value: string): Json | undefined {
  try {
    return JSON.parse(value) as Json;
  } catch {
    return undefined;
  }
}

/** A key by ARN or id; an alias or nothing means the key of Secrets Manager here. */
function keyArn(key: string | undefined): string | undefined {
  if (key === undefined || key.includes('alias/')) return undefined;
  return key.startsWith('arn:') ? key : arn('kms', `key/${key}`);
}
