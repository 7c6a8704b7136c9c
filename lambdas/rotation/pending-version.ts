import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { SecretVersion } from '../contract/ports.ts';
import type { StepContext } from './context.ts';

/**
 * Milliseconds between reads of a version that was just written. Secrets Manager is eventually consistent;
 * reads that miss a pending version right after a successful create are reported (aws-sdk-js-v3#7701).
 */
const patience = [100, 200, 400, 800, 1_600];

export interface Pending {
  /** `current`: finish has run for this token already. */
  readonly is: 'pending' | 'current';
  readonly document: SecretDocument;
  /** When the version was written. */
  readonly createdAt: Date;
}

/**
 * Reads this token's version. It is addressed by its id and then checked for its label, in one call: a label
 * alone could mean another rotation's version.
 *
 * @throws KeyturnError AwsNotFound when the version has no value after some patience; StepRefused when the
 *   version is neither pending nor current.
 */
export async function readPending(context: StepContext): Promise<Pending> {
  const { secretId, token } = context.event;
  const version = await patiently(() => context.ports.secrets.read(secretId, token), context);
  const is = standingOfVersion(version);
  if (is === null) {
    throw new KeyturnError({
      code: 'StepRefused',
      message: `The version ${token} of the secret ${context.secret.id} is neither pending nor current.`,
      hint: 'The rotation was cancelled or another one took over; nothing is to be done.',
    });
  }
  const document = parseDocument(version.value, `The ${is} value of the secret ${context.secret.id}`);
  return { is, document, createdAt: version.createdAt };
}

function standingOfVersion(version: SecretVersion): Pending['is'] | null {
  if (version.labels.includes('AWSCURRENT')) return 'current';
  return version.labels.includes('AWSPENDING') ? 'pending' : null;
}

async function patiently<T>(read: () => Promise<T>, { ports }: StepContext): Promise<T> {
  for (const wait of patience) {
    try {
      return await read();
    } catch (caught) {
      if (!(caught instanceof KeyturnError && caught.code === 'AwsNotFound')) throw caught;
      await ports.clock.sleep(wait);
    }
  }
  return read();
}
