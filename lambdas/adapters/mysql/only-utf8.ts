/**
 * In a bundle in place of iconv-lite, half a megabyte of tables: sessions here are in UTF-8, which Node knows itself. The
 * driver asks it for the words of a server that greets in another character set, and no word of a server goes on.
 */
interface Decoder {
  write(bytes: Uint8Array): string;
  end(): undefined;
}

interface Encoder {
  write(text: string): Buffer;
  end(): undefined;
}

export function getDecoder(): Decoder {
  return { write: (bytes) => Buffer.from(bytes).toString('latin1'), end: () => undefined };
}

/** @throws Error: a statement in another character set would not be what was meant. */
export function getEncoder(encoding: string): Encoder {
  throw new Error(`Statements are in UTF-8 only; the driver asked for ${encoding}.`);
}
