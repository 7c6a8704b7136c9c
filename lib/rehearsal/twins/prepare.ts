/** Runs a twin's own program that makes its tables: a process, as everything of a twin is. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TwinVariables } from './twin.ts';

const run = promisify(execFile);

/** Milliseconds: thousands of rows take one or two seconds. */
const patience = 120_000;

/**
 * @param program name of the file without `.mjs`
 * @throws Error with the program's last words, in which there is no value of a variable.
 */
export async function prepared(program: string, environment: TwinVariables): Promise<void> {
  const file = fileURLToPath(new URL(`./${program}.mjs`, import.meta.url));
  try {
    await run(process.execPath, [file], { env: { ...environment }, timeout: patience });
  } catch (error) {
    const words: unknown = error instanceof Error ? Reflect.get(error, 'stderr') : null;
    const last =
      typeof words === 'string' ? /(?:^|\n)((?:\w*[Ee]rror|[\w-]+): .+)/.exec(words)?.[1] : undefined;
    throw new Error(
      `${program} must make the tables of its platform; it failed: ${last ?? 'it said nothing'}`,
    );
  }
}
