/** A name in a statement that takes no parameters (PostgreSQL documentation, section 4.1.1). */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in a statement that takes no parameters (section 4.1.2). The E form: it means the same under any setting. */
export function literal(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll("'", "''");
  return escaped.includes('\\') ? `E'${escaped}'` : `'${escaped}'`;
}
