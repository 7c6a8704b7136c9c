/** TagResource and UntagResource. Both answer with nothing. */
import type { JsonObject } from '../wire.ts';
import { usable } from './access.ts';
import { commit } from './commit.ts';
import type { Operation } from './core.ts';
import { objectsOf, textOf, textsOf } from './input.ts';
import type { Tag } from './store.ts';

export const tagResource: Operation = (core, input, caller) => {
  const secret = usable(core, input, caller);
  const tags = new Map((secret.tags ?? []).map((tag) => [tag.Key, tag]));
  for (const tag of tagsOf(input) ?? []) tags.set(tag.Key, tag);
  commit(core, secret, { ...secret, tags: [...tags.values()] });
  return {};
};

/** The last tag leaves an empty list behind, which DescribeSecret shows (validated: LocalStack's snapshots). */
export const untagResource: Operation = (core, input, caller) => {
  const secret = usable(core, input, caller);
  const gone = new Set(textsOf(input, 'TagKeys'));
  commit(core, secret, { ...secret, tags: secret.tags?.filter((tag) => !gone.has(tag.Key)) ?? null });
  return {};
};

/** The tags of an input; null: none were given. */
export function tagsOf(input: JsonObject): Tag[] | null {
  const given = objectsOf(input, 'Tags');
  return given?.map((tag) => ({ Key: textOf(tag, 'Key') ?? '', Value: textOf(tag, 'Value') ?? '' })) ?? null;
}
