/** Python's cryptography as a second opinion, on machines that have it. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('oracle.py', import.meta.url));

export const pythonIsHere = spawnSync('python3', ['-c', 'import cryptography.fernet']).status === 0;

/** @param request see oracle.py; keys of tests only: it goes through a pipe. */
export function python(request: object): unknown {
  const { status, stdout, stderr } = spawnSync('python3', [script], {
    input: JSON.stringify(request),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`oracle.py failed: ${stderr}`);
  return JSON.parse(stdout);
}
