import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseDocument, SecretDocument } from '../../../lambdas/contract/document.ts';
import { publicError } from '../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';

const canary = 'LEAKME-plain-text-secret';
const read = (text: string) =>
  parseDocument(new Sensitive(text), 'The current value of the secret shop/secret');

describe('a document that cannot be read', () => {
  test.each([
    { text: canary, sentence: 'must be a JSON object of strings; it is not JSON.' },
    { text: `"${canary}"`, sentence: 'must be a JSON object of strings; it is a string.' },
    { text: `["${canary}"]`, sentence: 'must be a JSON object of strings; it is an array.' },
    { text: 'null', sentence: 'must be a JSON object of strings; it is null.' },
    { text: '7', sentence: 'must be a JSON object of strings; it is a number.' },
    {
      text: `{"TOKEN": {"value": "${canary}"}}`,
      sentence: 'the member TOKEN must be a string; it is an object.',
    },
    {
      text: `{"PORT": 54.32, "TOKEN": "${canary}"}`,
      sentence: 'the member PORT must be a string; it is a number.',
    },
    {
      text: `{"${canary}": true}`,
      sentence: 'the member with an unusual name must be a string; it is a boolean.',
    },
    { text: `{"TOKEN": "${canary}`, sentence: 'must be a JSON object of strings; it is not JSON.' },
    {
      text: `{"_keyturn": "${canary}"}`,
      sentence: 'the member _keyturn must be what Keyturn wrote there; it has another shape.',
    },
  ])('$sentence', ({ text, sentence }) => {
    try {
      read(text);
      expect.unreachable();
    } catch (caught) {
      // Everything that could be printed of it: message, hint, stack, cause and enumerable fields.
      const printed = [caught, publicError(caught)].map((error) => inspect(error, { depth: 9 })).join('\n');
      expect(caught).toMatchObject({ code: 'DocumentInvalid', message: expect.stringContaining(sentence) });
      expect(printed).not.toContain(canary);
      expect(printed).not.toContain('LEAKME');
    }
  });
});

describe('a document', () => {
  const document = read(
    '{"TOKEN": "first", "OTHER": "kept", "_keyturn": "{\\"schema\\":1,\\"class\\":\\"opaque-token\\",\\"base\\":null}"}',
  );

  test('keeps the members that are not changed, in their order', () => {
    const next = document.with(new Map([['TOKEN', 'second']]), {
      schema: 1,
      class: 'opaque-token',
      base: 'v1',
    });
    expect(JSON.parse(next.serialise().reveal())).toEqual({
      TOKEN: 'second',
      OTHER: 'kept',
      _keyturn: '{"schema":1,"class":"opaque-token","base":"v1"}',
    });
    expect(next.names()).toEqual(['TOKEN', 'OTHER']);
  });

  test('is a flat object of strings, as consumers read it into a map', () => {
    expect(
      Object.values(JSON.parse(document.serialise().reveal())).every((member) => typeof member === 'string'),
    ).toBe(true);
  });

  test('a whole number is read as text and stays a number, as the port in a document that RDS made', () => {
    const imported = read('{"username": "admin", "port": 5432}');
    expect(imported.value('port').reveal()).toBe('5432');
    const next = imported.with(new Map([['username', 'other']]), {
      schema: 1,
      class: 'database-credential',
      base: null,
    });
    expect(next.serialise().reveal()).toMatch(/^\{"username":"other","port":5432,/);
  });

  test('a number that is replaced by a word is a word, and never null', () => {
    const next = read('{"PIN": 7}').with(new Map([['PIN', 'seven']]), {
      schema: 1,
      class: 'opaque-token',
      base: null,
    });
    expect(next.serialise().reveal()).toMatch(/^\{"PIN":"seven",/);
  });

  test('remembers ids, and gives them back', () => {
    expect(document.memory).toEqual({ schema: 1, class: 'opaque-token', base: null });
  });

  test('survives a member that is called like a property of every object', () => {
    expect(read('{"__proto__": "a", "constructor": "b"}').names()).toEqual(['__proto__', 'constructor']);
  });

  test('names a variable that is missing', () => {
    expect(() => document.value('ABSENT')).toThrow(
      'The document must have the member ABSENT; it has TOKEN, OTHER.',
    );
  });

  test.each([
    ['a document', document],
    ['a value of it', document.value('TOKEN')],
    ['its serialised form', document.serialise()],
    ['an object that holds them', { document, value: document.value('TOKEN') }],
    [
      'an error that holds them',
      Object.assign(new Error('no'), { document, value: document.value('TOKEN') }),
    ],
    ['a document made by hand', new SecretDocument(new Map([['TOKEN', 'first']]), null)],
  ])('%s prints nothing of its values', (_what, thing) => {
    const printed = `${inspect(thing, { depth: 9, showHidden: true })} ${JSON.stringify(thing)} ${String(thing)} ${inspect({ ...thing })}`;
    expect(printed).not.toContain('first');
    expect(printed).not.toContain('kept');
  });
});
