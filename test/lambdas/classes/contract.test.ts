/** The contract suite: what every secret class must do, whatever it is. A class without a row here is red. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { codecIds } from '../../../lambdas/ciphers/registry.ts';
import { classIds, classOf } from '../../../lambdas/classes/registry.ts';
import { keyId } from '../../../lambdas/contract/ciphers.ts';
import { emptyDocument, type Memory, SecretDocument } from '../../../lambdas/contract/document.ts';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { gcm } from './data-key-documents.ts';
import { FakeServer } from './fake-server.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const format = { encoding: 'base64url', bytes: 48 };
const memory: Memory = { schema: 1, class: 'any', base: null };

interface Sample {
  /** The server that classes with a target log in to; it knows the passwords of `byHand`. */
  readonly server?: FakeServer;
  /** True where a first value has to be there already: nothing could make the server take one. */
  readonly needsCurrent?: true;
  /** Options that are right. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A document that a person may have made by hand and that works: the preflight must pass on it. */
  readonly byHand: Readonly<Record<string, string>>;
  /** A document that the platform would refuse, and the sentence. */
  readonly bad: readonly { readonly document: Readonly<Record<string, string>>; readonly sentence: string }[];
  /** Options that are wrong, and the sentence. */
  readonly wrong: readonly {
    readonly options: Readonly<Record<string, unknown>>;
    readonly sentence: string;
  }[];
}

const fernet = { encoding: 'fernet' };
const fernetKey = `${Buffer.alloc(32, 7).toString('base64url')}=`;
const versioned = {
  variable: 'DATA_KEY',
  version: 'VERSION',
  previous: 'PREVIOUS',
  previousVersion: 'PREVIOUS_VERSION',
};
const keyOf = (text: string) => `The key ${keyId(new Sensitive(text))}`;

const tooShort = { encoding: 'alphanumeric', length: 22 };

const samples: Readonly<Record<string, Sample>> = {
  'opaque-token': {
    options: { variable: 'TOKEN', format },
    byHand: { TOKEN: 'monitoring' },
    bad: [
      { document: { TOKEN: '' }, sentence: 'The value of TOKEN must have at least 1 characters; it has 0.' },
      { document: { OTHER: 'x' }, sentence: 'The document must have the member TOKEN; it has OTHER.' },
    ],
    wrong: [
      {
        options: { variable: 'TOKEN', format: { encoding: 'hex', bytes: 8 } },
        sentence: 'format.bytes must be at least 16; received 8.',
      },
      {
        options: { variable: 'TOKEN', format, colour: 'red' },
        sentence: 'the whole must not have the field colour: no such field is known.',
      },
      {
        options: { variable: 'TOKEN', format: tooShort, rules: { minimumLength: 32 } },
        sentence: 'options.format makes 22 characters; options.rules.minimumLength asks for 32.',
      },
    ],
  },
  'shared-token': {
    options: {
      variable: 'TOKEN',
      copies: ['TOKEN_FOR_RAILS'],
      format,
      rules: { forbidden: ['worker-internal'] },
    },
    byHand: { TOKEN: 'same', TOKEN_FOR_RAILS: 'same' },
    bad: [
      {
        document: { TOKEN: 'value-of-one', TOKEN_FOR_RAILS: 'value-of-other' },
        sentence: 'The member TOKEN_FOR_RAILS must hold the same value as TOKEN; it holds another.',
      },
      {
        document: { TOKEN: 'worker-internal', TOKEN_FOR_RAILS: 'worker-internal' },
        sentence: 'The value of TOKEN must not be a published default; the value received is one.',
      },
    ],
    wrong: [
      {
        options: { variable: 'TOKEN', copies: ['TOKEN'], format },
        sentence: 'options.copies must name each variable once, and not TOKEN itself.',
      },
    ],
  },
  'signing-key-cutover': {
    options: { variable: 'KEY', format, rules: { minimumLength: 32, forbidden: ['changeme-secret-key'] } },
    byHand: { KEY: 'a-key-of-more-than-thirty-two-characters' },
    bad: [
      {
        document: { KEY: 'changeme-secret-key' },
        sentence: 'The value of KEY must have at least 32 characters; it has 19.',
      },
    ],
    wrong: [
      {
        options: { variable: 'KEY', format, algorithm: 'none' },
        sentence: 'algorithm must be one of HS256, HS384, HS512; received "none".',
      },
      {
        options: { variable: 'KEY', format: { encoding: 'hex', bytes: 16 }, algorithm: 'HS512' },
        sentence:
          'options.format makes 32 characters; HS512 asks for a key of at least 64 (RFC 7518 section 3.2).',
      },
    ],
  },
  'signing-key-overlap': {
    options: { variable: 'KEY', accepted: 'KEYS_ACCEPTED', format, tokenLifeSeconds: 86_400 },
    byHand: { KEY: 'a-key-of-more-than-thirty-two-characters' },
    bad: [
      {
        document: { KEY: 'too short' },
        sentence: 'The value of KEY must have at least 32 characters; it has 9.',
      },
      {
        document: { KEY: 'k'.repeat(40), KEYS_ACCEPTED: 'k'.repeat(40) },
        sentence: 'The keys of KEYS_ACCEPTED must be others than KEY; one is the same.',
      },
    ],
    wrong: [
      {
        options: { variable: 'KEY', accepted: 'KEY', format, tokenLifeSeconds: 60 },
        sentence: 'options.accepted must be another variable than KEY.',
      },
    ],
  },
  'instance-token-key': {
    options: { variable: 'KEY', format: { encoding: 'alphanumeric', length: 64 } },
    byHand: { KEY: 'a-key-of-more-than-thirty-two-characters' },
    bad: [
      {
        document: { KEY: 'twenty-six characters long' },
        sentence: 'The value of KEY must have at least 32 characters; it has 26.',
      },
    ],
    wrong: [
      {
        options: { variable: 'KEY', format: { encoding: 'base64', bytes: 16 } },
        sentence:
          'options.format makes 24 characters; HS256 asks for a key of at least 32 (RFC 7518 section 3.2).',
      },
      {
        options: { variable: 'KEY', format, refreshTokenDays: 1 },
        sentence:
          'options.refreshTokenDays must be longer than options.accessTokenHours; 1 days are not longer than 24 hours.',
      },
    ],
  },
  'encryption-keyring': {
    options: { variable: 'DATA_KEY', accepted: 'DATA_KEY_PREVIOUS', format: fernet },
    byHand: { DATA_KEY: fernetKey, DATA_KEY_PREVIOUS: '' },
    bad: [
      {
        document: { DATA_KEY: 'no-key-of-fernet' },
        sentence: `${keyOf('no-key-of-fernet')} must be 32 bytes in URL-safe base64 with padding, 44 characters; it has 16 characters and is not that.`,
      },
    ],
    wrong: [
      {
        options: { variable: 'DATA_KEY', accepted: 'DATA_KEY', format: fernet },
        sentence: 'options.accepted must be another variable than DATA_KEY.',
      },
      {
        options: { variable: 'DATA_KEY', format: fernet, codec: { id: 'rot13' } },
        sentence: `options.codec.id must be one of ${codecIds.join(', ')}; received "rot13".`,
      },
    ],
  },
  'versioned-encryption-key': {
    options: { ...versioned, format: { encoding: 'hex', bytes: 32 }, codec: gcm('hex', true) },
    byHand: { DATA_KEY: 'ab'.repeat(32), VERSION: '3', PREVIOUS: '', PREVIOUS_VERSION: '0' },
    bad: [
      {
        document: { DATA_KEY: 'ab'.repeat(32), VERSION: 'three', PREVIOUS: '' },
        sentence: 'The value of VERSION must be a whole number; it has 5 characters and is none.',
      },
    ],
    wrong: [
      {
        options: {
          ...versioned,
          previous: 'DATA_KEY',
          format: { encoding: 'hex', bytes: 32 },
          codec: gcm('hex', true),
        },
        sentence:
          'options.variable, options.version, options.previous and options.previousVersion must be four variables; two are the same.',
      },
    ],
  },
  'envelope-root-key': {
    options: { variable: 'ROOT', format: { encoding: 'alphanumeric', length: 32 }, codec: gcm('raw') },
    byHand: { ROOT: 'R'.repeat(32) },
    bad: [
      {
        document: { ROOT: 'R'.repeat(33) },
        sentence: 'The value of ROOT must have exactly 32 bytes; it has 33.',
      },
    ],
    wrong: [
      {
        options: { variable: 'ROOT', format: { encoding: 'alphanumeric', length: 31 }, codec: gcm('raw') },
        sentence: 'options.format must make 32 characters; it makes 31.',
      },
    ],
  },
  'encryption-key': {
    options: { variable: 'DATA_KEY', format: { encoding: 'hex', bytes: 32 }, codec: gcm('hex') },
    byHand: { DATA_KEY: 'cd'.repeat(32) },
    bad: [{ document: {}, sentence: 'The document must have the member DATA_KEY; it has none.' }],
    wrong: [
      {
        options: {
          variable: 'DATA_KEY',
          next: 'DATA_KEY',
          format: { encoding: 'hex', bytes: 32 },
          codec: gcm('hex'),
        },
        sentence:
          'options.variable, options.next and options.previous must be three names; two are the same.',
      },
    ],
  },
  'database-credential': {
    server: new FakeServer({ app: 'by-hand' }),
    needsCurrent: true,
    options: { dsn: 'DATABASE_URL', copies: ['OTHER_URL'] },
    byHand: {
      DATABASE_URL: 'postgres://app:by-hand@db.example.com/shop?sslmode=require',
      OTHER_URL: "host=db.example.com user=app password='by-hand' dbname=other",
    },
    bad: [
      {
        document: { DATABASE_URL: 'postgres://app:one-word@h/d', OTHER_URL: 'postgres://app:other-word@h/d' },
        sentence:
          'The member OTHER_URL must hold the same user and password as the credential that it copies; it holds others.',
      },
      {
        document: { DATABASE_URL: 'postgres://app@h/d', OTHER_URL: 'postgres://app@h/d' },
        sentence: 'The credential in DATABASE_URL must name a password; it does not.',
      },
      {
        document: { DATABASE_URL: 'mysql://app:word@h/d', OTHER_URL: 'mysql://app:word@h/d' },
        sentence: 'The credential in DATABASE_URL must name a server of postgres; it does not.',
      },
    ],
    wrong: [
      { options: {}, sentence: 'options must have dsn or pieces, and not both.' },
      {
        options: { dsn: 'A', copies: ['A'] },
        sentence: 'options.copies must name each variable once, and not A itself.',
      },
      {
        options: { pieces: { password: 'P', user: 'U' } },
        sentence: 'options.pieces or options.fixed must name the host.',
      },
      {
        options: { dsn: 'A', format: { encoding: 'base64', bytes: 32 } },
        sentence: 'options.format must be safe in a URL; base64 is not, base64url is.',
      },
    ],
  },
  'redis-credential': {
    server: new FakeServer({ default: 'by-hand' }),
    needsCurrent: true,
    options: { url: 'REDIS_URL', copies: ['QUEUE_URL'] },
    byHand: {
      REDIS_URL: 'rediss://default:by-hand@cache.example.com:6379/0',
      QUEUE_URL: 'rediss://default:by-hand@cache.example.com:6379/1',
    },
    bad: [
      {
        document: { REDIS_URL: 'rediss://default:one-word@h', QUEUE_URL: 'rediss://default:other-word@h' },
        sentence:
          'The member QUEUE_URL must hold the same user and password as the credential that it copies; it holds others.',
      },
      {
        document: { REDIS_URL: 'rediss://h/0', QUEUE_URL: 'rediss://h/1' },
        sentence: 'The credential in REDIS_URL must name a password; it does not.',
      },
      {
        document: { REDIS_URL: 'postgres://app:word@h/d', QUEUE_URL: 'postgres://app:word@h/d' },
        sentence: 'The credential in REDIS_URL must name a server of redis; it does not.',
      },
      {
        document: { REDIS_URL: 'redis://:secret-word@h/first', QUEUE_URL: 'redis://:secret-word@h/first' },
        sentence: 'The credential in REDIS_URL must name its database by a number; it does not.',
      },
    ],
    wrong: [
      {
        options: { url: 'A', copies: ['B', 'A'] },
        sentence: 'options.copies must name each variable once, and not A itself.',
      },
      {
        options: { url: 'A', format: { encoding: 'base64', bytes: 32 } },
        sentence: 'options.format must be safe in a URL; base64 is not, base64url is.',
      },
      {
        options: { url: 'A', elasticache: { userId: 'app' }, format: { encoding: 'hex', bytes: 65 } },
        sentence: 'options.format must make at most 128 characters for ElastiCache; it makes 130.',
      },
    ],
  },
  'operator-supplied': {
    options: { variable: 'API_KEY', encoding: 'base64' },
    byHand: { API_KEY: Buffer.from('sk-live-key').toString('base64') },
    bad: [
      {
        document: { API_KEY: 'sk-not base64' },
        sentence:
          'The value of API_KEY must be base64, as the platform decodes it; the 13 characters received are not.',
      },
    ],
    wrong: [
      {
        options: { variable: 'API_KEY', encoding: 'rot13' },
        sentence: 'encoding must be one of text, base64; received "rot13".',
      },
    ],
  },
  guarded: {
    options: { variable: 'PEPPER', format, breaks: 'every stored hash becomes invalid' },
    byHand: { PEPPER: 'x'.repeat(40) },
    bad: [{ document: {}, sentence: 'The document must have the member PEPPER; it has none.' }],
    wrong: [
      { options: { variable: 'PEPPER', format }, sentence: 'breaks must be a string; received nothing.' },
    ],
  },
};

test('every class of the registry is in this suite', () => {
  // What another service rotates has no steps of ours: `observed.test.ts`.
  const rotated = classIds.filter((id) => classOf(id)?.admission !== 'elsewhere');
  expect(new Set(Object.keys(samples))).toEqual(new Set(rotated));
});

describe.each(Object.entries(samples))('%s', (id, sample) => {
  const definition = classOf(id);
  if (definition === undefined) throw new Error(`no class ${id}`);
  const bound = definition.bind(sample.options, sample.server?.ports);
  const byHand = new SecretDocument(new Map(Object.entries(sample.byHand)), null);
  // What a person supplies is of the same kind as what is there, and another value.
  const supplied = new SecretDocument(
    new Map(
      Object.keys(sample.byHand).map((name) => [name, Buffer.from(`fresh ${name}`).toString('base64')]),
    ),
    null,
  );
  const created = async (current: SecretDocument | null) =>
    (current ?? emptyDocument()).with(await bound.create({ current, supplied, random }), memory);

  test('its test passes on a document that a person made: the preflight', async () => {
    await expect(bound.test(byHand)).resolves.toBeUndefined();
  });

  test.each([
    ['the current document', byHand],
    ['nothing, for a first value', null],
  ])('what create makes from %s passes its test', async (_what, current) => {
    if (current === null && sample.needsCurrent === true) {
      await expect(created(current)).rejects.toMatchObject({ code: 'SupplyMissing' });
      return;
    }
    const document = await created(current);
    // Not back to what a person made: the tests that follow begin there.
    const fresh = definition.bind(sample.options, sample.server?.copy().ports);
    await fresh.set?.({ document, current, earlier: async function* () {} });
    await expect(fresh.test(document)).resolves.toBeUndefined();
  });

  test('create changes the variables that the class names, all of them and no other', async () => {
    const changes = await bound.create({ current: byHand, supplied, random });
    expect(new Set(changes.keys())).toEqual(new Set(bound.variables()));
    // With phases the first version only introduces the new value beside the old one.
    if (bound.phases === null)
      for (const [name, value] of changes) expect(value).not.toBe(sample.byHand[name]);
    else expect([...changes.values()].join()).not.toBe(Object.values(sample.byHand).join());
  });

  test('two values are never the same, unless a person supplies them', async () => {
    const [one, other] = await Promise.all([created(byHand), created(byHand)]);
    const values = (document: SecretDocument) =>
      bound.variables().map((name) => document.value(name).reveal());
    expect(values(one).join() === values(other).join()).toBe(definition.supplied);
  });

  test('its test has no side effect on the document', async () => {
    const before = byHand.serialise().reveal();
    await bound.test(byHand);
    expect(byHand.serialise().reveal()).toBe(before);
  });

  test.each(sample.bad)('refuses a document: $sentence', async ({ document, sentence }) => {
    const error = await bound
      .test(new SecretDocument(new Map(Object.entries(document)), null))
      .catch((caught) => caught);
    expect(error).toBeInstanceOf(KeyturnError);
    expect(error.message).toBe(sentence);
    for (const value of Object.values(document))
      if (value.length > 4) expect(error.message).not.toContain(value);
  });

  test.each(sample.wrong)('refuses options: $sentence', ({ options, sentence }) => {
    expect(definition.parse(options)).toEqual({ ok: false, broken: [sentence] });
  });

  test('declares no right beyond those of every rotation, unless it needs one', () => {
    // Only a target that refuses what is current sends the steps to look at versions without labels.
    expect(definition.actions).toEqual(definition.usesTarget ? ['secretsmanager:ListSecretVersionIds'] : []);
  });

  test('a guarded class says what its rotation breaks', () => {
    if (definition.admission === 'guarded') expect(bound.breaks()).toEqual(expect.stringMatching(/\w+ \w+/));
    if (definition.usual.cutover) expect(bound.breaks()).not.toBeNull();
  });
});

describe('operator-supplied', () => {
  const bound = classOf('operator-supplied')?.bind({ variable: 'API_KEY' });
  const document = (value: string) => new SecretDocument(new Map([['API_KEY', value]]), null);

  test('asks for a value when none waits', async () => {
    await expect(bound?.create({ current: null, supplied: null, random })).rejects.toMatchObject({
      code: 'SupplyMissing',
      message: 'A value of API_KEY must be supplied by a person before it can rotate; none waits.',
    });
  });

  test('refuses the value that is current already', async () => {
    await expect(
      bound?.create({ current: document('same'), supplied: document('same'), random }),
    ).rejects.toMatchObject({ code: 'ValueRejected' });
  });
});
