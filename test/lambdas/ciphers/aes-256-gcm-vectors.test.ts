import { describe, expect, test } from 'vitest';
import { bind, go, hex, layouts, plainOf } from './gcm-layouts.ts';
import { pythonIsHere, python as run } from './python/oracle.ts';
import { fixed, storedKey } from './rings.ts';

describe('NIST CAVP gcmEncryptExtIV256.rsp: IVlen 96, Taglen 128, Count 0 of each section', () => {
  test.each([
    [
      'PTlen 0, AADlen 0',
      'b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4',
      '516c33929df5a3284ff463d7',
      '',
      '',
      '',
      'bdc1ac884d332457a1d2664f168c76f0',
    ],
    [
      'PTlen 128, AADlen 0',
      '31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22',
      '0d18e06c7c725ac9e362e1ce',
      '2db5168e932556f8089a0622981d017d',
      '',
      'fa4362189661d163fcd6a56d8bf0405a',
      'd636ac1bbedd5cc3ee727dc2ab4a9489',
    ],
    [
      'PTlen 128, AADlen 128',
      '92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b',
      'ac93a1a6145299bde902f21a',
      '2d71bcfa914e4ac045b2aa60955fad24',
      '1e0889016f67601c8ebea4943bc23ad6',
      '8995ae2e6df3dbf96fac7b7137bae67f',
      'eca5aa77d51d4a0a14d9c51e1da474ab',
    ],
    [
      'PTlen 256, AADlen 384',
      'dc776f0156c15d032623854b625c61868e5db84b7b6f9fbd3672f12f0025e0f6',
      '67130951c4a57f6ae7f13241',
      '9378a727a5119595ad631b12a5a6bc8a91756ef09c8d6eaa2b718fe86876da20',
      'fd0920faeb7b212932280a009bac969145e5c316cf3922622c3705c3457c4e9f124b2076994323fbcfb523f8ed16d241',
      '6d958c20870d401a3c1f7a0ac092c97774d451c09f7aae992a8841ff0ab9d60d',
      'b876831b4ecd7242963b040aa45c4114',
    ],
    [
      'PTlen 408, AADlen 160',
      '24501ad384e473963d476edcfe08205237acfd49b5b8f33857f8114e863fec7f',
      '9ff18563b978ec281b3f2794',
      '27f348f9cdc0c5bd5e66b1ccb63ad920ff2219d14e8d631b3872265cf117ee86757accb158bd9abb3868fdc0d0b074b5f01b2c',
      'adb5ec720ccf9898500028bf34afccbcaca126ef',
      'eb7cb754c824e8d96f7c6d9b76c7d26fb874ffbf1d65c6f64a698d839b0b06145dae82057ad55994cf59ad7f67c0fa5e85fab8',
      'bc95c532fecc594c36d1550286a7a3f0',
    ],
  ])('%s', (_name, key, iv, pt, aad, ct, tag) => {
    const row = { additionalData: hex(aad) };
    const whole = hex(iv + ct + tag);
    const cipher = bind({ layout: go, additionalData: 'row' }, [key], fixed(hex(iv)));
    expect(cipher.seal(hex(pt), row)).toEqual(whole);
    expect(cipher.open(whole, row)).toMatchObject({ is: 'open', plain: hex(pt) });
    const parts = bind(
      { layout: layouts['iv:tag:data in hex'], additionalData: 'row' },
      [key],
      fixed(hex(iv)),
    );
    expect(parts.seal(hex(pt), row)).toBe(`${iv}:${tag}:${ct}`);
    expect(parts.open(`${iv}:${tag}:${ct}`, row)).toMatchObject({ is: 'open', plain: hex(pt) });
  });

  // gcmDecrypt256.rsp, cases that say FAIL.
  test.each([
    [
      'e5a8123f2e2e007d4e379ba114a2fb66e6613f57c72d4e4f024964053028a831',
      '51e43385bf533e168427e1ad',
      '',
      '38fe845c66e66bdd884c2aecafd280e6',
    ],
    [
      'c997768e2d14e3d38259667a6649079de77beb4543589771e5068e6cd7cd0b14',
      '835090aed9552dbdd45277e2',
      '9f6607d68e22ccf21928db0986be126e',
      'f32617f67c574fd9f44ef76ff880ab9f',
    ],
  ])('gcmDecrypt256.rsp, FAIL: %s', (key, iv, ct, tag) => {
    expect(plainOf(bind({ layout: go }, [key]), hex(iv + ct + tag))).toBe('poisoned: unknown-key');
  });
});

describe('what others wrote', () => {
  /**
   * The one AES-256 vector of Go's crypto/cipher/gcm_test.go: `Seal(nil, nonce, plaintext, ad)` gives ciphertext
   * and tag, `Seal(nonce, nonce, …)` the same behind the nonce.
   */
  test('Go: nonce, ciphertext, tag', () => {
    const nonce = '815e840b7aca7af3b324583f';
    const plain =
      '8e63067cd15359f796b43c68f093f55fdf3589fc5f2fdfad5f9d156668a617f7091d73da71cdd207810e6f71a165d0809a597df9885ca6e8f9bb4e616166586b83cc45f49917fc1a256b8bc7d05c476ab5c4633e20092619c4747b26dad3915e9fd65238ee4e5213badeda8a3a22f5efe6582d0762532026c89b4ca26fdd000eb45347a2a199b55b7790e6b1b2dba19833ce9f9522c0bcea5b088ccae68dd99ae0203c81b9f1dd3181c3e2339e83ccd1526b67742b235e872bea5111772aab574ae7d904d9b6355a79178e179b5ae8edc54f61f172bf789ea9c9af21f45b783e4251421b077776808f04972a5e801723cf781442378ce0e0568f014aea7a882dcbcb48d342be53d1c2ebfb206b12443a8a587cc1e55ca23beca385d61d0d03e9d84cbc1b0a';
    const ad = '0feccdfae8ed65fa31a0858a1c466f79e8aa658c2f3ba93c3f92158b4e30955e1c62580450beff';
    const result =
      'b69a7e17bb5af688883274550a4ded0d1aff49a0b18343f4b382f745c163f7f714c9206a32a1ff012427e19431951edd0a755e5f491b0eedfd7df68bbc6085dd2888607a2f998c3e881eb1694109250db28291e71f4ad344a125624fb92e16ea9815047cd1111cabfdc9cb8c3b4b0f40aa91d31774009781231400789ed545404af6c3f76d07ddc984a7bd8f52728159782832e298cc4d529be96d17be898efd83e44dc7b0e2efc645849fd2bba61fef0ae7be0dcab233cc4e2b7ba4e887de9c64b97f2a1818aa54371a8d629dae37975f7784e5e3cc77055ed6e975b1e5f55e6bbacdc9f295ce4ada2c16113cd5b323cf78b7dde39f4a87aa8c141a31174e3584ccbd380cf5ec6d1dba539928b084fa9683e9c0953acf47cc3ac384a2c38914f1da01fb2cfd78905c2b58d36b2574b9df15535d82';
    const key = '5394e890d37ba55ec9d5f327f15680f6a63ef5279c79331643ad0af6d2623525';
    const cipher = bind({ layout: go, additionalData: 'row' }, [key], fixed(hex(nonce)));
    const row = { additionalData: hex(ad) };
    expect(cipher.open(hex(nonce + result), row)).toMatchObject({ is: 'open', plain: hex(plain) });
    expect(cipher.seal(hex(plain), row)).toEqual(hex(nonce + result));
  });

  /**
   * Written by Node's crypto on OpenSSL 3, key from the `openssl kdf` command, both outside this project: the
   * format fixture of the Rust crate encryptman (its known-answer tests tell how). HKDF of 00…1f.
   */
  test('Node: a version byte, nonce, ciphertext, tag in base64 under an HKDF key', () => {
    const packed =
      'AQARIjNEVWZ3iJmqu+/H9SgtAcJ9Vc56WJb70P/X25e9O+1I6Z6bf65WfptKTtAa3MPl1HcF3rhkRwYGBMLzaX4lSzhFRcW3';
    const key = { kind: 'hkdf', text: 'hex', info: 'encryptman:kat' };
    const text = Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('hex');
    const layout = layouts['a version byte within base64'];
    const cipher = bind({ layout, key }, [storedKey(text, 1)], fixed(hex('00112233445566778899aabb')));
    const plain = 'The quick brown fox jumps over the lazy dog';
    expect(plainOf(cipher, packed)).toBe(plain);
    expect(cipher.seal(Buffer.from(plain), {})).toBe(packed);
  });

  test.skipIf(!pythonIsHere)(
    'Python’s AESGCM, both directions, live (needs python3 with cryptography)',
    () => {
      const key = 'aa'.repeat(32);
      const options = { layout: go, additionalData: { text: 'table.column' } };
      const cipher = bind(options, [key]);
      const sealed = cipher.seal(Buffer.from('ünïcode ✓'), {}) as Buffer;
      const request = { key, aad: 'table.column' };
      expect(run({ do: 'gcm-open', ...request, sealed: sealed.toString('hex') })).toEqual({
        text: 'ünïcode ✓',
      });
      const theirs = run({ do: 'gcm-seal', ...request, text: 'of Python' }) as { sealed: string };
      expect(plainOf(cipher, hex(theirs.sealed))).toBe('of Python');
    },
  );
});
