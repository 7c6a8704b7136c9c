/** One temporary folder for a run of the tests: what a test leaves behind goes with it, whatever ended the test. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Before the workers start: they inherit the environment. @returns what runs when all tests are over. */
export default async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'keyturn-tests-'));
  // As /tmp itself: a database server that root starts runs as a user of its own, and makes its files in here.
  await chmod(folder, 0o1777);
  process.env.TMPDIR = folder;
  return () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
