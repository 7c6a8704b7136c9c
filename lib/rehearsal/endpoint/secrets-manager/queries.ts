/** ListSecrets and BatchGetSecretValue, and the filters they share. */
import { AwsError, type JsonObject, region } from '../wire.ts';
import { isForeign } from './access.ts';
import type { Operation } from './core.ts';
import { countOf, flagOf, objectsOf, textOf, textsOf } from './input.ts';
import { page } from './pages.ts';
import { labelled, summary, valueAnswer } from './reads.ts';
import type { Secret } from './store.ts';

/** ListSecrets: never shows secrets of another account (validated: LocalStack test_cross_account_access). */
export const listSecrets: Operation = (core, input, caller) => {
  const planned = flagOf(input, 'IncludePlannedDeletion') ?? false;
  const secrets = isForeign(caller) ? [] : core.store.all();
  const found = secrets.filter((secret) => (planned || secret.deletionAt === null) && passes(secret, input));
  if (textOf(input, 'SortOrder') === 'desc') found.reverse();
  const { items, rest } = page(found, countOf(input, 'MaxResults') ?? 100, textOf(input, 'NextToken'));
  const entries = items.map((secret) => ({
    ...summary(secret),
    ...labelled('SecretVersionsToStages', secret),
  }));
  return { SecretList: entries, ...rest };
};

/**
 * BatchGetSecretValue: one secret's failure is reported beside the others' values (AWS API reference; the two
 * refusals carry moto's texts).
 */
export const batchGetSecretValue: Operation = (core, input, caller) => {
  const ids = textsOf(input, 'SecretIdList');
  const filtered = objectsOf(input, 'Filters') !== undefined;
  if ((ids !== undefined) === filtered) {
    throw invalid("Either 'SecretIdList' or 'Filters' must be provided, but not both.");
  }
  if (!filtered && countOf(input, 'MaxResults') !== undefined) {
    throw invalid("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.");
  }
  const visible = isForeign(caller) ? [] : core.store.all();
  const matching = visible.filter((secret) => secret.deletionAt === null && passes(secret, input));
  const wanted = ids ?? matching.map((secret) => secret.arn);
  const { items, rest } = page(wanted, countOf(input, 'MaxResults') ?? 20, textOf(input, 'NextToken'));

  const values: JsonObject[] = [];
  const errors: JsonObject[] = [];
  for (const SecretId of items) {
    try {
      values.push(valueAnswer(core, { SecretId }, caller));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      errors.push({ SecretId, ErrorCode: error.code, Message: error.message });
    }
  }
  return { SecretValues: values, Errors: errors, ...rest };
};

/** All filters must hold; of a filter's values one must. */
function passes(secret: Secret, input: JsonObject): boolean {
  return (objectsOf(input, 'Filters') ?? []).every((filter) => {
    const key = textOf(filter, 'Key') ?? 'all';
    return (textsOf(filter, 'Values') ?? []).some((value) => matches(secret, key, value));
  });
}

/** `!` in front turns a value around; of a value's words all must hold. */
function matches(secret: Secret, key: string, value: string): boolean {
  if (value.startsWith('!')) return !matches(secret, key, value.slice(1));
  return value
    .split(' ')
    .filter((word) => word !== '')
    .every((word) => hasWord(secret, key, word));
}

/** Names and tags are compared by prefix and case, descriptions word by word without case (AWS API reference, Filter). */
function hasWord(secret: Secret, key: string, word: string): boolean {
  const tags = secret.tags ?? [];
  const described = secret.description.split(/\s+/);
  if (key === 'name') return secret.name.startsWith(word);
  if (key === 'tag-key') return tags.some((tag) => tag.Key.startsWith(word));
  if (key === 'tag-value') return tags.some((tag) => tag.Value.startsWith(word));
  if (key === 'description') return anyBegins(described, word);
  if (key === 'primary-region') return region.startsWith(word);
  if (key === 'owning-service') return false;
  return anyBegins([secret.name, ...described, ...tags.flatMap((tag) => [tag.Key, tag.Value])], word);
}

function anyBegins(texts: readonly string[], word: string): boolean {
  return texts.some((text) => text.toLowerCase().startsWith(word.toLowerCase()));
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}
