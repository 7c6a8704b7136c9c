/** libpq's keyword=value form (PostgreSQL documentation, section 34.1.1.1). */
import { Sensitive } from '../contract/sensitive.ts';
import { broken } from './broken.ts';
import type { Credentials, Dsn } from './dsn.ts';
import { endpoints } from './endpoints.ts';
import { defaultPorts } from './schemes.ts';

/** One setting and where its value stands in the text, quotes included. */
interface Setting {
  readonly keyword: string;
  readonly value: string;
  readonly quoted: boolean;
  readonly from: number;
  readonly to: number;
}

/** What C's isspace takes for a space. */
const blank = /[ \t\n\v\f\r]/;

/** @throws KeyturnError DocumentInvalid */
export function parseKeywords(text: string): Dsn {
  // A keyword that comes twice: the last one counts. An empty value counts as none.
  const others = new Map(settings(text).map(({ keyword, value }) => [keyword, value]));
  const take = (keyword: string): string => {
    const value = others.get(keyword) ?? '';
    others.delete(keyword);
    return value;
  };
  const password = take('password');
  return {
    form: 'keywords',
    engine: 'postgres',
    scheme: null,
    hosts: endpoints(take('host').split(','), take('port').split(','), defaultPorts.postgres),
    user: take('user') || null,
    password: password === '' ? null : new Sensitive(password),
    database: take('dbname') || null,
    options: others,
  };
}

/** @throws KeyturnError DocumentInvalid */
export function keywordsWith(text: string, { user, password }: Credentials): string {
  // Checks every rule before anything is written.
  parseKeywords(text);
  const changes = new Map([
    ...(user === undefined ? [] : [['user', user] as const]),
    ['password', password.reveal()],
  ]);
  const found = settings(text);
  const replaced = found
    .filter(({ keyword }) => changes.has(keyword))
    // From the end, so that what stands before keeps its place.
    .reverse()
    .reduce(
      (line, { keyword, quoted, from, to }) =>
        line.slice(0, from) + written(changes.get(keyword) ?? '', quoted) + line.slice(to),
      text,
    );
  const missing = [...changes].filter(([name]) => !found.some(({ keyword }) => keyword === name));
  // In front: at the end, an empty value or a backslash that stands there would swallow them.
  return missing.reduceRight((line, [keyword, value]) => {
    return `${keyword}=${written(value, false)}${line === '' ? '' : ' '}${line}`;
  }, replaced);
}

/** A value as libpq reads it back: quoted where it has to be, or was before. */
export function written(value: string, quoted: boolean): string {
  if (!quoted && value !== '' && !/['\\]/.test(value) && !blank.test(value)) return value;
  return `'${value.replace(/['\\]/g, (sign) => `\\${sign}`)}'`;
}

/** Reads as libpq does (conninfo_parse): every rule of it, and no leniency of ours. */
function settings(text: string): Setting[] {
  if (text.includes('\0')) throw broken('must not hold the NUL character');
  const found: Setting[] = [];
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const start = at;
    while (at < text.length && text[at] !== '=' && !blank.test(text[at] ?? '')) at += 1;
    const keyword = text.slice(start, at);
    at = skipBlanks(text, at);
    // The text stays out: an unquoted password with a space in it ends up here.
    if (text[at] !== '=' || keyword === '') {
      throw broken(
        'must be a URL of a known scheme, or settings written as keyword=value',
        'Quote a value that has spaces in it with single quotes.',
      );
    }
    // After the sign blanks are skipped as well, so that an empty value has to be quoted.
    const from = skipBlanks(text, at + 1);
    const { value, to } = text[from] === "'" ? quotedValue(text, from) : plainValue(text, from);
    found.push({ keyword, value, quoted: text[from] === "'", from, to });
    at = skipBlanks(text, to);
  }
  return found;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && blank.test(text[at] ?? '')) at += 1;
  return at;
}

function plainValue(text: string, from: number): { value: string; to: number } {
  let value = '';
  let at = from;
  while (at < text.length && !blank.test(text[at] ?? '')) {
    if (text[at] === '\\') at += 1;
    value += text[at] ?? '';
    at += 1;
  }
  return { value, to: Math.min(at, text.length) };
}

function quotedValue(text: string, from: number): { value: string; to: number } {
  let value = '';
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === "'") return { value, to: at + 1 };
    if (text[at] === '\\') at += 1;
    value += text[at] ?? '';
  }
  throw broken('must end a quoted value with a single quote');
}
