/** How far an overlap is, told by the ids of versions: no value is read. */
import type { Phase } from '../../lambdas/contract/document.ts';
import type { SecretOverview } from '../../lambdas/contract/operator-ports.ts';
import { derivedToken, publishedPhases } from '../../lambdas/contract/tokens.ts';
import type { Sighting } from './look.ts';

/** The version that a rotation made, of which this one is a phase; else the version itself. */
export function rootOf(versionId: string, { versions }: Pick<SecretOverview, 'versions'>): string {
  const isPhase = (root: string) => publishedPhases.some((phase) => derivedToken(root, phase) === versionId);
  return [...versions.keys()].find(isPhase) ?? versionId;
}

/**
 * The phase of the current version. The ids of the later ones follow from the first one's; the first one itself
 * looks like any version, and is known by its rollout.
 *
 * @returns null where the class has no phases, or where the ids do not tell.
 */
export function phaseOf({
  subject,
  overview,
  currentId,
  walked,
}: Pick<Sighting, 'subject' | 'overview' | 'currentId' | 'walked'>): Phase | null {
  const { class: secretClass, settings } = subject.secret;
  const { phases } = secretClass.bind(settings.options);
  if (phases === null || currentId === null) return null;
  const root = rootOf(currentId, overview);
  const published = publishedPhases.find((phase) => derivedToken(root, phase) === currentId);
  if (published !== undefined) return published;
  return walked === null ? null : phases.first();
}
