import { KeyturnError } from '../../contract/errors.ts';
import type { SqlClient } from '../../contract/sql.ts';
import { defaultIterations } from '../../credentials/scram-verifier.ts';

/** PostgreSQL 10: before it a verifier of SCRAM would be taken for a password, and be one from then on. */
const firstWithScram = 100_000;

export interface ServerFacts {
  /** `server_version_num`: 160004 is 16.4. */
  readonly version: number;
  /** The server's own number for verifiers (since PostgreSQL 16), and never fewer than the RFC allows. */
  readonly iterations: number;
}

/** @throws KeyturnError TargetRefused when the server does not know SCRAM. */
export async function serverFacts(client: SqlClient): Promise<ServerFacts> {
  const [row] = await client.query(
    "SELECT current_setting('server_version_num') AS version, current_setting('scram_iterations', true) AS iterations",
  );
  const version = Number(row?.version);
  if (version < firstWithScram) {
    throw new KeyturnError({
      code: 'TargetRefused',
      message: `The server must be PostgreSQL 10 or later, which knows SCRAM-SHA-256; its version is ${version}.`,
    });
  }
  return { version, iterations: Math.max(Number(row?.iterations ?? 0), defaultIterations) };
}
