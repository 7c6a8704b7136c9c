/**
 * The search for leaked secrets: every value that the account ever held is a canary, and no text that is not meant
 * to carry one may contain it, in any of the forms in which values escape.
 *
 * A report never holds a value, only its label.
 */

/** How a value appeared: as it is, encoded, or a piece of it. */
export type LeakForm = 'raw' | 'base64' | 'base64url' | 'hex' | 'url' | 'json' | 'part';

export interface Leak {
  /** What the value belongs to, as given to `watch`. */
  readonly label: string;
  /** Where it appeared, as given to `scan`. */
  readonly where: string;
  readonly form: LeakForm;
}

export interface CanarySearch {
  /**
   * Registers a secret value. Values below 8 characters are not searched: they appear by chance.
   * @param label names it in reports (`app/key KEY AWSCURRENT`); must not hold the value
   * @param options pieces: whether twelve characters of it are a leak already; default true
   */
  watch(value: string, label: string, options?: { readonly pieces?: boolean }): void;
  /** Records every canary that the text contains; the same finding is recorded once. */
  scan(text: string, where: string): void;
  readonly leaks: readonly Leak[];
  /** Values under watch. */
  readonly size: number;
}

const shortest = 8;

/** A piece of this many characters of a longer value counts as a leak: half a key is no secret any more. */
const windowLength = 12;

interface Needle {
  readonly text: string;
  readonly label: string;
  readonly form: LeakForm;
}

export function canarySearch(): CanarySearch {
  const watched = new Set<string>();
  const needles: Needle[] = [];
  /** Windows of long values by their text: one pass over a text finds them all. */
  const windows = new Map<string, string>();
  const leaks: Leak[] = [];
  const seen = new Set<string>();

  function record(leak: Leak): void {
    const key = JSON.stringify(leak);
    if (seen.has(key)) return;
    seen.add(key);
    leaks.push(leak);
  }

  return {
    leaks,
    get size() {
      return watched.size;
    },
    watch(value, label, { pieces = true } = {}) {
      if (value.length < shortest || watched.has(value)) return;
      if (label.includes(value)) throw new Error('a label must not hold the value that it names');
      watched.add(value);
      needles.push(...formsOf(value).map(([form, text]) => ({ text, label, form })));
      if (!pieces || value.length <= windowLength) return;
      for (let at = 0; at + windowLength <= value.length; at += 1) {
        windows.set(value.slice(at, at + windowLength), label);
      }
    },
    scan(text, where) {
      const found = needles.filter((needle) => text.includes(needle.text));
      for (const { label, form } of found) record({ label, where, form });
      if (windows.size === 0) return;
      const whole = new Set(found.filter(({ form }) => form === 'raw').map(({ label }) => label));
      for (let at = 0; at + windowLength <= text.length; at += 1) {
        const label = windows.get(text.slice(at, at + windowLength));
        if (label !== undefined && !whole.has(label)) record({ label, where, form: 'part' });
      }
    },
  };
}

/** The forms of a value, each distinct one once. */
function formsOf(value: string): [LeakForm, string][] {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  const forms: [LeakForm, string][] = [
    ['raw', value],
    ['json', JSON.stringify(value).slice(1, -1)],
    ['url', encodeURIComponent(value)],
    ['hex', hex],
    ['hex', hex.toUpperCase()],
    ...base64Forms(bytes),
  ];
  const distinct = new Map<string, LeakForm>();
  for (const [form, text] of forms) if (!distinct.has(text)) distinct.set(text, form);
  return [...distinct].map(([text, form]) => [form, text]);
}

/** Base64 of the value alone, and inside a longer text, where its bytes start at any of three offsets. */
function base64Forms(bytes: Buffer): [LeakForm, string][] {
  return [0, 1, 2].flatMap((offset): [LeakForm, string][] => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    // Only characters that no neighbouring byte has a bit in.
    const from = Math.ceil((offset * 8) / 6);
    const to = Math.floor((padded.length * 8) / 6);
    return [
      ['base64', padded.toString('base64').slice(from, to)],
      ['base64url', padded.toString('base64url').slice(from, to)],
    ];
  });
}
