/**
 * A tag on the secret that says when a request was put that nobody answers later. Every function of a rollout
 * can read it, also one that did not put the request, and after a crash.
 */
import type { IamStatement, Renewing } from '../contract/hooks.ts';
import { secretsPlaceholder } from '../contract/hooks.ts';

export interface SecretTags {
  /** The value of a tag of the secret; null: it has none. */
  tag(secretId: string, key: string): Promise<string | null>;
  setTag(secretId: string, key: string, value: string): Promise<void>;
}

const prefix = 'keyturn:requested:';
/** Longest key of a tag (Secrets Manager API reference, Tag), less the prefix. */
export const longestTarget = 128 - prefix.length;

/** @param target whom the request went to: a bus, a host; at most `longestTarget` characters. */
export function markStatements(target: string): readonly IamStatement[] {
  return [
    { actions: ['secretsmanager:DescribeSecret'], resources: [secretsPlaceholder] },
    {
      actions: ['secretsmanager:TagResource'],
      resources: [secretsPlaceholder],
      conditions: { 'ForAllValues:StringEquals': { 'aws:TagKeys': `${prefix}${target}` } },
    },
  ];
}

/** When the request for this version was marked; null: it was not. */
export async function markedAt(target: string, renewing: Renewing, tags: SecretTags): Promise<Date | null> {
  const value = await tags.tag(renewing.secretId, `${prefix}${target}`);
  const begin = beginOf(renewing);
  return value?.startsWith(begin) === true ? new Date(value.slice(begin.length)) : null;
}

export async function mark(target: string, renewing: Renewing, at: Date, tags: SecretTags): Promise<void> {
  await tags.setTag(renewing.secretId, `${prefix}${target}`, `${beginOf(renewing)}${at.toISOString()}`);
}

/** With the time of the publication: a roll back publishes a version again. */
function beginOf({ versionId, since }: Renewing): string {
  return `${versionId}@${since.toISOString()}@`;
}
