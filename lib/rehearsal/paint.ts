import { styleText } from 'node:util';

/** How a text is meant; the terminal gives it a colour, a pipe does not. */
export type Meaning = 'good' | 'bad' | 'waiting' | 'quiet' | 'heading';

export type Paint = (meaning: Meaning, text: string) => string;

const styles = { good: 'green', bad: 'red', waiting: 'yellow', quiet: 'dim', heading: 'bold' } as const;

/** Leaves every text as it is. */
export const plain: Paint = (_meaning, text) => text;

/**
 * Colours on a terminal only, and not where NO_COLOR asks for none (https://no-color.org).
 *
 * @param environment Default: the process's.
 */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  if (stream.isTTY !== true || (environment.NO_COLOR ?? '') !== '') return plain;
  // The stream has been looked at here; node would look at stdout, which need not be the one.
  return (meaning, text) => styleText(styles[meaning], text, { validateStream: false });
}
