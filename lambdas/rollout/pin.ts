import type { SecretDescription } from '../contract/ports.ts';
import type { StageContext } from '../contract/stage.ts';

/**
 * Puts a label of ours on a version, so that its value stays. A move whose answer was lost looks like a refusal when
 * it is tried again: where the label is decides.
 */
export async function pin(
  secretId: string,
  label: string,
  versionId: string,
  { labels }: SecretDescription,
  { secrets }: StageContext['ports'],
): Promise<void> {
  if (labels.get(versionId)?.includes(label)) return;
  const holder = [...labels].find(([, held]) => held.includes(label))?.[0] ?? null;
  try {
    await secrets.moveLabel(secretId, label, versionId, holder);
  } catch (caught) {
    const now = await secrets.describe(secretId);
    if (!now.labels.get(versionId)?.includes(label)) throw caught;
  }
}
