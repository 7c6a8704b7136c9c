/** A name in a statement that takes no parameters (MySQL 8.4 reference manual, section 11.2). */
export function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text in a statement that takes no parameters (section 11.1.1). Sessions here never run under NO_BACKSLASH_ESCAPES. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** The account of a user: one of those that may be there for different hosts. */
export interface Account {
  readonly user: string;
  readonly host: string;
}

/** An account as statements name it. */
export function accountName({ user, host }: Account): string {
  return `${identifier(user)}@${identifier(host)}`;
}
