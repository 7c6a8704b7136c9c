import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';
import { Sensitive } from './sensitive.ts';

export const steps = ['create', 'set', 'test', 'finish'] as const;
export type Step = (typeof steps)[number];

/**
 * The wire says `createSecret`; one table of the Secrets Manager user guide says `create_secret`. Both are
 * taken, nothing else is.
 */
const spellings: ReadonlyMap<string, Step> = new Map(
  steps.flatMap((step) => [
    [`${step}Secret`, step],
    [`${step}_secret`, step],
  ]),
);

/** The event of one step (Secrets Manager user guide, "Lambda rotation functions"). */
const Wire = z.object({
  Step: z.string(),
  /** The full ARN. */
  SecretId: z.string().check(z.minLength(20), z.maxLength(2048), z.startsWith('arn:')),
  ClientRequestToken: z.string().check(z.minLength(32), z.maxLength(64)),
  /** Different at every step; missing from older events. */
  RotationToken: z.optional(z.string().check(z.minLength(36), z.maxLength(256))),
});

export interface RotationEvent {
  readonly step: Step;
  readonly secretId: string;
  readonly token: string;
  readonly rotationToken: Sensitive | undefined;
}

/** @throws KeyturnError EventInvalid, naming the field and never its value: RotationToken is sensitive. */
export function parseRotationEvent(event: unknown): RotationEvent {
  const wire = Wire.safeParse(event);
  if (!wire.success) {
    const field = wire.error.issues[0]?.path.join('.') ?? '';
    throw new KeyturnError({
      code: 'EventInvalid',
      message: `The rotation event's ${field === '' ? 'shape' : `field ${field}`} is not what Secrets Manager sends.`,
      hint: 'This function is for Secrets Manager; rotate with RotateSecret instead of invoking it.',
    });
  }
  const step = spellings.get(wire.data.Step);
  if (step === undefined) {
    throw new KeyturnError({
      code: 'EventInvalid',
      message: `The rotation event's field Step must be one of ${[...spellings.keys()].join(', ')}; it is another word.`,
    });
  }
  const { SecretId, ClientRequestToken, RotationToken } = wire.data;
  return {
    step,
    secretId: SecretId,
    token: ClientRequestToken,
    rotationToken: RotationToken === undefined ? undefined : new Sensitive(RotationToken),
  };
}
