import { KeyturnError } from '../../contract/errors.ts';
import type { Clock } from '../../contract/ports.ts';
import { InstanceId } from '../../contract/rollout-state.ts';
import { itemLimit } from '../../contract/stage-description.ts';
import { atPointer, parsedJson } from '../json-pointer.ts';
import type { Fleet } from './fleet.ts';
import type { InstancesApi } from './http.ts';
import { asked } from './patience.ts';

/** Pages that are read before the list counts as endless: a cursor may lead in a circle. */
const mostPages = 1_000;

/**
 * Every active instance, each once. A list may change while it is read: what moves to an earlier page meanwhile is
 * missed here, and found when the instances are counted.
 */
export async function listed(fleet: Fleet, api: InstancesApi, clock: Clock): Promise<readonly string[]> {
  const ids = new Set<string>();
  let page: Page | null = firstPage(fleet);
  for (let pages = 0; page !== null; pages += 1) {
    if (pages === mostPages) throw notListed(`has more than ${mostPages} pages`);
    const url = addressOf(fleet, page);
    const answer = await asked(api, { method: 'GET', url, credential: fleet.credential }, clock, 'its list');
    if (answer.status !== 200) throw notListed(`was answered with ${answer.status}`);
    const body = parsedJson(answer.body);
    const items = atPointer(body, fleet.list.items);
    if (!Array.isArray(items)) throw notListed(`must have an array at ${fleet.list.items}; it has none`);
    for (const item of items) if (isActive(fleet, item)) ids.add(idOf(fleet, item));
    if (ids.size > itemLimit) throw tooMany();
    page = nextPage(fleet, page, body, items.length);
  }
  return [...ids];
}

/** What the page's query parameter holds; null: none, as on the first page of a cursor. */
interface Page {
  readonly value: string | null;
}

function firstPage({ list: { pages } }: Fleet): Page {
  return { value: pages !== undefined && 'number' in pages ? String(pages.first) : null };
}

function nextPage({ list: { pages } }: Fleet, page: Page, body: unknown, items: number): Page | null {
  if (pages === undefined) return null;
  if ('number' in pages) return items === 0 ? null : { value: String(Number(page.value) + 1) };
  const next = atPointer(body, pages.next);
  return (typeof next === 'string' && next !== '') || typeof next === 'number'
    ? { value: String(next) }
    : null;
}

function addressOf({ url, list }: Fleet, { value }: Page): string {
  const address = new URL(`${url.replace(/\/+$/, '')}${list.path}`);
  if (list.pages !== undefined && value !== null) {
    address.searchParams.set('number' in list.pages ? list.pages.number : list.pages.cursor, value);
  }
  return address.href;
}

function isActive({ list }: Fleet, item: unknown): boolean {
  const state = atPointer(item, list.state);
  return typeof state === 'string' && list.active.includes(state);
}

function idOf({ list }: Fleet, item: unknown): string {
  const id = atPointer(item, list.id);
  const parsed = InstanceId.safeParse(typeof id === 'number' ? String(id) : id);
  if (parsed.success) return parsed.data;
  // The id itself is not printed: who could write it could write anything into a log.
  throw notListed(
    'must name every instance with 1–64 letters, digits, dots, hyphens and underscores; one id has others',
  );
}

function notListed(what: string): KeyturnError {
  return new KeyturnError({
    code: 'InstancesNotListed',
    message: `The platform’s list of instances ${what}.`,
    hint: 'See instances.list in the deployment file, and whether its credential may read the list.',
    retryable: true,
  });
}

function tooMany(): KeyturnError {
  return new KeyturnError({
    code: 'TooManyInstances',
    message: `The platform’s list must have at most ${itemLimit} active instances; it has more.`,
    hint: 'Divide them: one secret, and so one rollout, for each part of the platform. Nothing was redeployed yet.',
  });
}
