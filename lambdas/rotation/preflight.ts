import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { type Found, failed, type PreflightReport, parsePreflight, passed } from '../contract/preflight.ts';
import type { BoundClass, ClassDefinition, NamedLogin } from '../contract/secret-class.ts';
import type { Settings } from '../contract/settings.ts';
import type { Target } from '../contract/target.ts';
import type { RotationPorts } from './context.ts';
import { holderOf } from './guards.ts';
import { ownSecret } from './own-secret.ts';

/** What the value of the secret itself is called. */
const current = 'current value';

/**
 * Goes the way that a rotation would go, from the place where it would go it, with the current value; and changes
 * nothing. Each password is tried once, and once more in the test of the class where it was let in.
 *
 * @param self the ARN under which this function was invoked.
 * @throws KeyturnError EventInvalid, StepRefused; whatever stands in the way is in the report.
 */
export async function preflight(
  event: unknown,
  self: string,
  secretClass: ClassDefinition,
  settings: Settings,
  ports: Pick<RotationPorts, 'secrets' | 'target' | 'credential'>,
): Promise<PreflightReport> {
  const { SecretId } = parsePreflight(event);
  const secret = ownSecret(settings, SecretId, self);
  const bound = secretClass.bind(secret.options, ports);
  const steps: Found[] = [];
  let document: SecretDocument;
  try {
    document = await currentDocument(SecretId, secret.key, ports.secrets);
  } catch (caught) {
    return { steps: [failed(current, 'read', caught)] };
  }
  steps.push(passed(current, 'read', 'it can be read'));
  for (const login of bound.logins(document)) steps.push(...(await reached(login, ports.target)));
  // A password that was refused is not tried again.
  if (steps.every(({ ok }) => ok)) steps.push(await tested(bound, document));
  return { steps };
}

async function currentDocument(
  secretId: string,
  key: string,
  secrets: RotationPorts['secrets'],
): Promise<SecretDocument> {
  const versionId = holderOf(await secrets.describe(secretId), 'AWSCURRENT');
  if (versionId === null) {
    throw new KeyturnError({
      code: 'DocumentInvalid',
      message: `The secret ${key} has no current value.`,
      hint: 'Store what works now as its first value.',
    });
  }
  const { value } = await secrets.read(secretId, versionId);
  return parseDocument(value, `The current value of ${key}`);
}

async function reached({ of, login }: NamedLogin, target: Target): Promise<readonly Found[]> {
  try {
    const steps = (await target.reach?.(await login())) ?? [];
    return steps.map((one) => (one.ok ? passed(of, one.step, one.says) : failed(of, one.step, one.error)));
  } catch (caught) {
    return [failed(of, 'read', caught)];
  }
}

async function tested(bound: BoundClass, document: SecretDocument): Promise<Found> {
  try {
    await bound.test(document);
    return passed(current, 'test', 'it passes');
  } catch (caught) {
    return failed(current, 'test', caught);
  }
}
