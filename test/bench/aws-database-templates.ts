/**
 * What AWS's two templates for PostgreSQL do at Secrets Manager and at the database, as functions that can be deployed
 * beside ours and counted by the same counters. Only the order of calls and logins is theirs, in our own code.
 *
 * Read from aws-samples/aws-secrets-manager-rotation-lambdas, SecretsManagerRDSPostgreSQLRotationSingleUser and
 * …MultiUser. The kinder count stands here: with `ssl` in the secret. Without it they try each refused login a second
 * time, without TLS.
 */
import pg from 'pg';
import { type Theirs, templateHandler } from './aws-templates.ts';

interface Secret {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly dbname: string;
  readonly masterarn?: string;
}

const parsed = (text: string | undefined): Secret => JSON.parse(text ?? '{}') as Secret;
const clone = '_clone';

/** Null: refused. */
async function connected({ host, port, username, password, dbname }: Secret): Promise<pg.Client | null> {
  const client = new pg.Client({
    ...{ host, port, user: username, password, database: dbname },
    ssl: { ca: process.env.BENCH_CA },
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch {
    return null;
  }
}

async function changed(client: pg.Client | null, user: string, password: string): Promise<void> {
  if (client === null) throw new Error('nobody is let in');
  await client.query(
    `ALTER USER ${client.escapeIdentifier(user)} WITH PASSWORD ${client.escapeLiteral(password)}`,
  );
  await client.end();
}

async function test({ read }: Theirs): Promise<void> {
  const client = await connected(parsed(await read('AWSPENDING')));
  if (client === null) throw new Error('the pending value is refused');
  await client.query('SELECT NOW()');
  await client.end();
}

export const single = templateHandler({
  made: (current, password) => JSON.stringify({ ...parsed(current), password }),
  async set({ read }) {
    await read('AWSPREVIOUS');
    const current = parsed(await read('AWSCURRENT'));
    const pending = parsed(await read('AWSPENDING'));
    const already = await connected(pending);
    if (already !== null) return already.end();
    await changed(await connected(current), pending.username, pending.password);
  },
  test,
});

export const alternating = templateHandler({
  made(current, password) {
    const secret = parsed(current);
    const { username } = secret;
    const other = username.endsWith(clone) ? username.slice(0, -clone.length) : `${username}${clone}`;
    return JSON.stringify({ ...secret, username: other, password });
  },
  async set({ read, readOther }) {
    const current = parsed(await read('AWSCURRENT'));
    const pending = parsed(await read('AWSPENDING'));
    const already = await connected(pending);
    if (already !== null) return already.end();
    const inUse = await connected(current);
    if (inUse === null) throw new Error('the current value is refused');
    await inUse.end();
    const master = { ...parsed(await readOther(current.masterarn ?? '')), dbname: current.dbname };
    await changed(await connected(master), pending.username, pending.password);
  },
  test,
});
