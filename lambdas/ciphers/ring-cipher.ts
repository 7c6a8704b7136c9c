/** What every codec does alike: which keys of a ring are tried, in what order, and what is poisoned. */
import type {
  Cipher,
  KeyRing,
  Poison,
  Rewrite,
  RowContext,
  Stored,
  StoredKey,
  StoredRow,
} from '../contract/ciphers.ts';

/** A ciphertext taken apart, not yet opened. */
export interface Parts {
  /** The key version that the ciphertext itself carries, where the format has one. */
  readonly version?: number | undefined;
}

/** A format, with keys made ready (`Made`) once per ring. */
export interface Format<Made, Read extends Parts> {
  /** @throws KeyturnError ValueRejected when the key's text does not fit. */
  make(key: StoredKey): Made;
  /** Takes a ciphertext apart, or tells why it cannot. Never throws. */
  read(stored: Stored): Read | Poison;
  /** @returns null when it is not of this key. Never throws. */
  open(parts: Read, made: Made, row: RowContext): Buffer | Poison | null;
  /** `from` is what is written anew; null for a new ciphertext. */
  seal(plain: Buffer, made: Made, row: RowContext, from: Read | null): Stored;
  /**
   * What the application sees of what was opened, for formats that pack it. Left out: the same. What is sealed
   * anew is what was opened, as it was packed.
   */
  unpack?(opened: Buffer, parts: Read): Buffer | Poison;
  /** For formats without `unpack` and additional data that are quicker over many rows. Default: they are not. */
  readonly together?: Together<Made, Read>;
  /** Cheap: whether a plain text might be a ciphertext of this format. */
  looksSealed(plain: Buffer): boolean;
}

/** Many rows under one key; answers are in the order of what was asked. */
export interface Together<Made, Read extends Parts> {
  open(parts: readonly Read[], made: Made): readonly (Buffer | Poison | null)[];
  seal(plains: readonly Buffer[], made: Made, from: readonly Read[]): readonly Stored[];
}

type OpenedParts =
  | { readonly is: 'open'; readonly under: StoredKey; readonly plain: Buffer; readonly packed: Buffer }
  | { readonly is: 'poisoned'; readonly poison: Poison };

interface Ready<Made> {
  readonly key: StoredKey;
  readonly made: Made;
}

/** @throws KeyturnError ValueRejected when a key of the ring does not fit the format. */
export function ringCipher<Made, Read extends Parts>(format: Format<Made, Read>, ring: KeyRing): Cipher {
  const write = { key: ring.write, made: format.make(ring.write) };
  const all: readonly Ready<Made>[] = [write, ...ring.others.map((key) => ({ key, made: format.make(key) }))];
  const ofVersion = new Map(
    all.map(({ key }) => [key.version, all.filter((other) => other.key.version === key.version)]),
  );

  /** A tag is taken at its word: the platform reads by it as well, so another key would not help it. */
  function candidates(version: number | undefined): readonly Ready<Made>[] {
    return version === undefined ? all : (ofVersion.get(version) ?? []);
  }

  function isSealedAgain(plain: Buffer, row: RowContext): boolean {
    if (!format.looksSealed(plain)) return false;
    const parts = format.read(plain);
    return (
      typeof parts !== 'string' && all.some(({ made }) => Buffer.isBuffer(format.open(parts, made, row)))
    );
  }

  // Neighbours in a table are mostly under one key. Every format authenticates, so the order changes no answer.
  let likely: Ready<Made> = write;

  function* inOrder(version: number | undefined): Generator<Ready<Made>> {
    const tried = candidates(version);
    const first = likely;
    if (tried.includes(first)) yield first;
    for (const one of tried) if (one !== first) yield one;
  }

  function openParts(parts: Read, row: RowContext): OpenedParts {
    for (const one of inOrder(parts.version ?? row.version)) {
      const { key, made } = one;
      const packed = format.open(parts, made, row);
      if (packed === null) continue;
      likely = one;
      if (typeof packed === 'string') return { is: 'poisoned', poison: packed };
      const plain = format.unpack === undefined ? packed : format.unpack(packed, parts);
      if (typeof plain === 'string') return { is: 'poisoned', poison: plain };
      if (isSealedAgain(plain, row)) return { is: 'poisoned', poison: 'double-encrypted' };
      return { is: 'open', under: key, plain, packed };
    }
    return { is: 'poisoned', poison: 'unknown-key' };
  }

  function rewriteParts(parts: Read, stored: Stored, row: RowContext): Rewrite {
    const opened = openParts(parts, row);
    if (opened.is === 'poisoned') return opened;
    if (opened.under === write.key) return { is: 'current' };
    const sealed = format.seal(opened.packed, write.made, row, parts);
    return { is: 'rewritten', stored: likeBefore(sealed, stored), from: opened.under };
  }

  function rewrite({ stored, context }: StoredRow): Rewrite {
    const parts = format.read(stored);
    return typeof parts === 'string'
      ? { is: 'poisoned', poison: parts }
      : rewriteParts(parts, stored, context);
  }

  /** What is under the likely key goes through together; each of the others goes the way of a single row. */
  function rewriteTogether(rows: readonly StoredRow[], { open, seal }: Together<Made, Read>): Rewrite[] {
    const { key, made } = likely;
    const results: Rewrite[] = rows.map(() => ({ is: 'current' }));
    const alone: number[] = [];
    const opening: { readonly at: number; readonly parts: Read }[] = [];
    for (const [at, { stored, context }] of rows.entries()) {
      const parts = format.read(stored);
      const isCandidate =
        typeof parts !== 'string' &&
        candidates(parts.version ?? context.version).some((one) => one.key === key);
      if (isCandidate) opening.push({ at, parts });
      else alone.push(at);
    }
    const opened = open(
      opening.map(({ parts }) => parts),
      made,
    );
    const sealing: { readonly at: number; readonly parts: Read; readonly plain: Buffer }[] = [];
    for (const [index, { at, parts }] of opening.entries()) {
      const plain = opened[index] ?? null;
      if (!Buffer.isBuffer(plain) || format.looksSealed(plain)) alone.push(at);
      else if (key !== write.key) sealing.push({ at, parts, plain });
    }
    const sealed = seal(
      sealing.map(({ plain }) => plain),
      write.made,
      sealing.map(({ parts }) => parts),
    );
    for (const [index, { at }] of sealing.entries()) {
      const [stored, before] = [sealed[index], rows[at]?.stored];
      if (stored === undefined || before === undefined) throw new TypeError('a format sealed too few rows');
      results[at] = { is: 'rewritten', stored: likeBefore(stored, before), from: key };
    }
    for (const at of alone) {
      const row = rows[at];
      if (row !== undefined) results[at] = rewrite(row);
    }
    return results;
  }

  return {
    open(stored, row) {
      const parts = format.read(stored);
      if (typeof parts === 'string') return { is: 'poisoned', poison: parts };
      const opened = openParts(parts, row);
      return opened.is === 'open' ? { is: 'open', under: opened.under, plain: opened.plain } : opened;
    },
    seal: (plain, row) => format.seal(plain, write.made, row, null),
    rewrite: (stored, context) => rewrite({ stored, context }),
    rewriteAll: (rows) =>
      format.together === undefined ? rows.map(rewrite) : rewriteTogether(rows, format.together),
  };
}

/** Text that lies in a column of bytes goes back as bytes. */
function likeBefore(sealed: Stored, before: Stored): Stored {
  return typeof sealed === 'string' && typeof before !== 'string' ? Buffer.from(sealed, 'latin1') : sealed;
}
