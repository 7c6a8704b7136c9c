/** What an answer says: whether nothing is left, and the counts. Nothing of it but numbers and names gets out. */
import { KeyturnError } from '../../contract/errors.ts';
import type { SetAside, TargetCount } from '../../contract/reencryption.ts';
import { atPointer } from '../json-pointer.ts';
import type { HttpReencryption, Report, Rule } from './http-members.ts';
import { isName, shownName } from './names.ts';

/** Most stores of one answer: their counts travel in a cursor of 2,048 characters. */
export const mostStores = 16;
/** Longest name of a store, for the same reason. */
const longestStore = 40;

export interface Told {
  readonly complete: boolean;
  readonly counts: readonly TargetCount[];
  readonly setAside: readonly SetAside[];
  /** What left no room in `setAside`, or none: how many items the list has. */
  readonly listed: number;
}

/** How an answer is to be read: a real call's and a dry run's differ. */
export interface Reading {
  readonly complete: readonly Rule[];
  readonly report: Report | undefined;
  /** Names the data where there are no stores. */
  readonly target: string;
  /** Stands before the ids of what is set aside. Null: there are no tenants. */
  readonly tenant: string | null;
}

export function readingOf(
  { complete, report, dryRun }: HttpReencryption,
  target: string,
  tenant: string | null,
  dry: boolean,
): Reading {
  if (!dry || dryRun === undefined) return { complete, report, target, tenant };
  // What a dry run would move has not been moved.
  const { moved: _would, ...rest } = report ?? {};
  const counted = dryRun.left === undefined ? rest : { ...rest, left: dryRun.left };
  return { complete: dryRun.complete, report: counted, target, tenant };
}

/** @throws KeyturnError ReencryptionFailed (retryable) that names the pointer which the answer does not have. */
export function toldBy(answer: unknown, reading: Reading): Told {
  const complete = reading.complete.map((rule) => holds(answer, rule)).every((held) => held);
  const { report, target } = reading;
  const stores = storesOf(answer, report, target);
  const listed = report === undefined ? [] : listedIn(answer, stores, report);
  const counts = stores.map(({ name, at }) => {
    const poisoned = listed.filter((item) => item.target === name).length;
    const left = report?.left?.reduce((sum, pointer) => sum + numberAt(at, pointer), 0);
    return {
      target: name,
      total: report?.total === undefined ? null : numberAt(at, report.total),
      moved: report?.moved === undefined ? 0 : numberAt(at, report.moved),
      left: Math.max(left ?? 0, poisoned),
      poisoned,
    };
  });
  const setAside = listed.map(({ target, id }) => ({
    target,
    row: reading.tenant === null ? id : `${reading.tenant}/${id}`,
    poison: 'not-rotated',
  }));
  return { complete, counts: neverNothing(counts, complete, reading), setAside, listed: listed.length };
}

/** What is not complete has something left, also where the answer counts nothing. */
function neverNothing(counts: TargetCount[], complete: boolean, { target }: Reading): TargetCount[] {
  if (complete || counts.some(({ left }) => left > 0)) return counts;
  const [first, ...rest] = counts;
  return first === undefined
    ? [{ target, total: null, moved: 0, left: 1, poisoned: 0 }]
    : [{ ...first, left: 1 }, ...rest];
}

function holds(answer: unknown, { pointer, equals }: Rule): boolean {
  const found = allAt(answer, pointer);
  if (found.length === 0) throw lacking(pointer);
  return found
    .map((one) => {
      const value = counted(one);
      const sameType = equals === null ? isScalar(value) : value === null || typeof value === typeof equals;
      if (!sameType) throw lacking(pointer);
      return value === equals;
    })
    .every((equal) => equal);
}

/** A list stands for its length: some platforms list what went wrong instead of counting it. */
function counted(value: unknown): unknown {
  return Array.isArray(value) ? value.length : value;
}

function isScalar(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null);
}

/** Every value that a pointer with at most one `*` names; none is missing, or the answer is not as declared. */
function allAt(answer: unknown, pointer: string): unknown[] {
  const segments = pointer.slice(1).split('/');
  const star = segments.indexOf('*');
  if (star < 0) return [present(atPointer(answer, pointer), pointer)];
  const before = segments.slice(0, star);
  const after = segments.slice(star + 1);
  const many = before.length === 0 ? answer : atPointer(answer, `/${before.join('/')}`);
  if (typeof many !== 'object' || many === null) throw lacking(pointer);
  return Object.values(many).map((one: unknown) =>
    present(after.length === 0 ? one : atPointer(one, `/${after.join('/')}`), pointer),
  );
}

interface Store {
  readonly name: string;
  readonly at: unknown;
}

function storesOf(answer: unknown, report: Report | undefined, target: string): Store[] {
  if (report?.stores === undefined) return [{ name: target, at: answer }];
  const { stores: pointers, name } = report;
  const pointer = typeof pointers === 'string' ? pointers : (pointers[0] ?? '');
  const stores = membersAt(answer, pointers).map(([member, at]) => ({
    name: storeName(name === undefined ? member : atPointer(at, name), name ?? pointer),
    at,
  }));
  if (stores.length > mostStores) {
    throw new KeyturnError({
      code: 'ReencryptionFailed',
      message: `The answer must have at most ${mostStores} stores at ${pointer}; it has ${stores.length}.`,
    });
  }
  if (new Set(stores.map((store) => store.name)).size < stores.length) throw lacking(name ?? pointer);
  return stores;
}

/** The members of one array or object, or what each of several pointers names, under its last segment. */
function membersAt(answer: unknown, pointers: string | readonly string[]): [string, unknown][] {
  if (typeof pointers === 'string') {
    const many = present(atPointer(answer, pointers), pointers);
    if (typeof many !== 'object' || many === null) throw lacking(pointers);
    return Object.entries(many);
  }
  return pointers.map((pointer) => [
    pointer.slice(pointer.lastIndexOf('/') + 1),
    present(atPointer(answer, pointer), pointer),
  ]);
}

function storeName(value: unknown, pointer: string): string {
  if (typeof value === 'string' && value.length <= longestStore && isName(value)) return value;
  throw lacking(pointer);
}

function listedIn(
  answer: unknown,
  stores: readonly Store[],
  { setAside }: Report,
): { readonly target: string; readonly id: string }[] {
  if (setAside === undefined) return [];
  const { in: where, items, id, store } = setAside;
  const [first] = stores;
  const lists = where === 'store' ? stores : [{ name: first?.name ?? '', at: answer }];
  return lists.flatMap(({ name, at }) => {
    const list = atPointer(at, items);
    if (!Array.isArray(list)) throw lacking(items);
    return list.map((item: unknown) => ({
      target: store === undefined || where === 'store' ? name : ofStore(item, store, stores),
      id: idOf(id === undefined ? item : atPointer(item, id), id ?? items),
    }));
  });
}

function ofStore(item: unknown, pointer: string, stores: readonly Store[]): string {
  const name = atPointer(item, pointer);
  const found = stores.find((store) => store.name === name);
  if (found === undefined) throw lacking(pointer);
  return found.name;
}

function idOf(value: unknown, pointer: string): string {
  if (typeof value === 'string' && value !== '') return shownName(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw lacking(pointer);
}

function numberAt(at: unknown, pointer: string): number {
  const value = counted(atPointer(at, pointer));
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw lacking(pointer);
}

function present(value: unknown, pointer: string): unknown {
  if (value === undefined) throw lacking(pointer);
  return value;
}

/** Names the pointer and nothing of the answer. */
function lacking(pointer: string): KeyturnError {
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message: `The answer must have what is declared for ${pointer}; it does not, or it is of another type.`,
    hint: 'Compare the members of the hook in the deployment file with an answer of the platform.',
    retryable: true,
  });
}
