import { describe, expect, it } from 'vitest';
import { canarySearch } from '../../../lib/rehearsal/endpoint/canaries.ts';

const value = 'p@ss "word"/+é';
const long = 'AbCdEfGhIjKlMnOpQrStUvWxYz';

const table: [sentence: string, watched: string, text: string, form: string | null][] = [
  ['the value itself', value, `password is ${value}!`, 'raw'],
  ['base64', value, `Basic cEBzcyAid29yZCIvK8Op`, 'base64'],
  [
    'base64 inside a longer text (user:value)',
    'hunter22hunter',
    'Authorization: Basic dXNlcjpodW50ZXIyMmh1bnRlcg==',
    'base64',
  ],
  ['base64url', 'subjects?_d>>x~', 'token=c3ViamVjdHM_X2Q-Pnh-', 'base64url'],
  ['hex', value, '\\x704073732022776f7264222f2bc3a9', 'hex'],
  ['hex in capitals', value, '704073732022776F7264222F2BC3A9', 'hex'],
  ['URL encoding', value, 'postgres://u:p%40ss%20%22word%22%2F%2B%C3%A9@db', 'url'],
  ['a JSON text', value, '{"error":"p@ss \\"word\\"/+é"}', 'json'],
  ['a piece of a long value', long, 'starts with EfGhIjKlMnOp', 'part'],
  ['not a piece below twelve characters', long, 'starts with EfGhIjKlMnO', null],
  ['not a value below eight characters', 'abcdefg', 'abcdefg', null],
  ['not another text', value, 'nothing to see', null],
];

describe('the canary search finds', () => {
  for (const [sentence, watched, text, form] of table) {
    it(sentence, () => {
      const search = canarySearch();
      search.watch(watched, 'app/key KEY');
      search.scan(text, 'log of rotation');
      const first = search.leaks.map((leak) => leak.form);
      if (form === null) expect(first).toEqual([]);
      else expect(first).toContain(form);
    });
  }

  it('the same leak once, under its label, without the value', () => {
    const search = canarySearch();
    search.watch(long, 'app/key KEY');
    search.watch(long, 'app/other COPY');
    search.scan(`a ${long}`, 'log');
    search.scan(`b ${long}`, 'log');
    expect(search.leaks).toEqual([{ label: 'app/key KEY', where: 'log', form: 'raw' }]);
    expect(JSON.stringify(search.leaks)).not.toContain(long);
    expect(search.size).toBe(1);
  });

  it('no value in a label', () => {
    expect(() => canarySearch().watch(long, `key ${long}`)).toThrow(
      'a label must not hold the value that it names',
    );
  });
});
