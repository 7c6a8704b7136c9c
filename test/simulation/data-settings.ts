/** Settings of the classes whose keys encrypt stored data: their platforms read and write rows all the time. */
import { secretClass as encryptionKey } from '../../lambdas/classes/encryption-key.ts';
import { secretClass as encryptionKeyring } from '../../lambdas/classes/encryption-keyring.ts';
import { secretClass as envelopeRootKey } from '../../lambdas/classes/envelope-root-key.ts';
import { secretClass as versionedEncryptionKey } from '../../lambdas/classes/versioned-encryption-key.ts';
import { bearer } from './application.ts';
import type { LoadedKeys } from './store.ts';
import type { Setting } from './world.ts';

const gcm = { id: 'aes-256-gcm', layout: [{ encoding: 'base64', fields: ['nonce', 'ciphertext', 'tag'] }] };
const hex = { encoding: 'hex', bytes: 32 };
const hexKey = 'ab'.repeat(32);
const listed = (text: string | undefined) => (text ?? '').split(',').filter((key) => key !== '');

/** Encrypts with the one, reads with both. */
function ringOf(write: string | undefined, others: string | undefined): LoadedKeys {
  return { write: write ?? '', reads: [...listed(write), ...listed(others)] };
}

const common = { variable: 'KEY', probe: null, judge: bearer } as const;

export const keyring: Setting = {
  ...common,
  secretClass: encryptionKeyring,
  options: { variable: 'KEY', accepted: 'ACCEPTED', format: { encoding: 'fernet' } },
  initial: { KEY: `${Buffer.alloc(32, 1).toString('base64url')}=`, ACCEPTED: '', OTHER: 'not ours' },
  data: { consumers: 2, rows: 5, reads: 'always', keysOf: ({ KEY, ACCEPTED }) => ringOf(KEY, ACCEPTED) },
};

export const versioned: Setting = {
  ...common,
  secretClass: versionedEncryptionKey,
  options: {
    variable: 'KEY',
    version: 'VERSION',
    previous: 'PREVIOUS',
    previousVersion: 'PREVIOUS_VERSION',
    format: hex,
    codec: { ...gcm, key: { kind: 'hex' } },
  },
  initial: { KEY: hexKey, VERSION: '1', PREVIOUS: '', PREVIOUS_VERSION: '0', OTHER: 'not ours' },
  data: { consumers: 1, rows: 5, reads: 'always', keysOf: ({ KEY, PREVIOUS }) => ringOf(KEY, PREVIOUS) },
};

export const envelope: Setting = {
  ...common,
  secretClass: envelopeRootKey,
  options: {
    variable: 'KEY',
    format: { encoding: 'alphanumeric', length: 32 },
    codec: { ...gcm, key: { kind: 'raw' } },
  },
  initial: { KEY: 'R'.repeat(32), OTHER: 'not ours' },
  data: { consumers: 1, rows: 5, reads: 'at-start', keysOf: ({ KEY }) => ringOf(KEY, '') },
};

export const single: Setting = {
  ...common,
  secretClass: encryptionKey,
  options: { variable: 'KEY', format: hex, codec: { ...gcm, key: { kind: 'hex' } } },
  initial: { KEY: hexKey, OTHER: 'not ours' },
  data: { consumers: 1, rows: 5, reads: 'always', keysOf: ({ KEY }) => ringOf(KEY, '') },
};

export const dataSettings: readonly Setting[] = [keyring, versioned, envelope, single];

/** A setting with something else about its data. */
export function withData(setting: Setting, members: Partial<NonNullable<Setting['data']>>): Setting {
  if (setting.data === undefined) throw new Error('no data is under its keys');
  return { ...setting, data: { ...setting.data, ...members } };
}

/** Rows that are many for one worker: moved in three ranges of two slices, and counted in three slices. */
export const divided: Setting = withData(keyring, { rows: 9, ranges: 3, countRows: 4 });
