/**
 * Logins and Secrets Manager calls of a rotated database credential: the deployed function of ours and AWS's templates
 * beside it, on one real PostgreSQL behind a door that counts who comes.
 */
import { connect, createServer, type Socket } from 'node:net';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import pg from 'pg';
import { operator as operatorOf } from '../../lambdas/adapters/aws/operator.ts';
import { parseDeployment } from '../../lambdas/contract/deployment.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { resolveDeployment } from '../../lib/deployment/resolve.ts';
import { nameOf } from '../../lib/pipeline-function.ts';
import { type Account, startAccount } from '../../lib/rehearsal/endpoint/account.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import { synthesise } from '../../lib/rehearsal/synthesise.ts';
import { access, type Counted, closed, finished, rotateBy, templateFunctions, watchSteps } from './calls.ts';

export interface CredentialRow {
  readonly name: string;
  readonly whose: 'keyturn' | 'aws';
  /** With which template or strategy it is compared. */
  readonly strategy: 'single-user' | 'alternating-users';
  readonly warm: Counted;
  readonly fresh: Counted;
  /** Logins at the database in the warm rotation, and how many of them the server refused. */
  readonly logins: number;
  readonly refused: number;
}

interface Subject extends Pick<CredentialRow, 'name' | 'whose' | 'strategy'> {
  readonly functionName: string;
  rotate(): Promise<string>;
}

const deploymentName = 'bench';
const classId = 'database-credential';
/** Milliseconds for one rollout. */
const patience = 60_000;
const password = 'the-first-password-of-the-bench';

export async function countCredentials(note: (line: string) => void): Promise<CredentialRow[]> {
  note('Starting a PostgreSQL and deploying the credentials of ours and of AWS’s templates.');
  const server = await startPostgres();
  const door = await openDoor(server.port);
  const account = await startAccount({ compression: 60 });
  try {
    await prepare(server);
    const watch = watchSteps(account);
    const subjects = [
      ...(await theirs(account, server, door.port)),
      ...(await ours(account, server, door.port)),
    ];
    const rows: CredentialRow[] = [];
    for (const { functionName, rotate, ...subject } of subjects) {
      note(`Rotating three times: ${subject.name}.`);
      const rotated = async () => finished(account, await rotate());
      await rotated();
      await rolledOut(account);
      const refusedBefore = refusals(await server.log());
      door.clear();
      const warm = await watch(functionName, false, rotated);
      const logins = door.count();
      const refused = refusals(await server.log()) - refusedBefore;
      await rolledOut(account);
      const fresh = await watch(functionName, true, rotated);
      await rolledOut(account);
      rows.push({ ...subject, warm, fresh, logins, refused });
    }
    return rows;
  } finally {
    await account.stop();
    door.close();
    await server.stop();
  }
}

/** Only the four steps are counted: the rollout logs in too, and no other rotation begins before it is over. */
async function rolledOut({ plane, secretsManager }: Account): Promise<void> {
  const finishedByUs = () =>
    secretsManager.runs.filter(({ functionArn }) => functionArn.includes(deploymentName));
  const deadline = performance.now() + patience;
  const isOpen = () => {
    const executions = plane.states.executions();
    const wanted = finishedByUs().filter(({ kind, status }) => kind === 'rotation' && status === 'succeeded');
    return executions.length < wanted.length || executions.some(({ status }) => status === 'RUNNING');
  };
  while (isOpen()) {
    if (performance.now() > deadline) throw new Error('a rollout took too long');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function refusals(log: string): number {
  return log.split('password authentication failed').length - 1;
}

/** The users of both sides, each with a table of its own. */
async function prepare(server: Postgres): Promise<void> {
  const client = new pg.Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  await client.connect();
  for (const user of ['aws_single', 'aws_pair', 'aws_pair_clone', 'ours_single', 'ours_pair']) {
    await client.query(`CREATE ROLE ${user} LOGIN PASSWORD '${password}'`);
  }
  await client.end();
}

async function theirs(account: Account, server: Postgres, port: number): Promise<Subject[]> {
  const define = templateFunctions(account, 'aws-database-templates.ts', { BENCH_CA: server.ca ?? '' });
  const client = new SecretsManagerClient(access(account));
  const stored = async (Name: string, members: object): Promise<string> => {
    const here = { host: 'localhost', port, dbname: 'postgres' };
    const { ARN = '' } = await client.send(
      new CreateSecretCommand({ Name, SecretString: JSON.stringify({ ...here, ...members }) }),
    );
    return ARN;
  };
  const masterarn = await stored('bench/aws-master', { username: server.user, password: server.password });
  return Promise.all(
    (
      [
        ['single', 'AWS template, single user', 'single-user', 'aws_single'],
        ['alternating', 'AWS template, alternating users', 'alternating-users', 'aws_pair'],
      ] as const
    ).map(async ([handler, name, strategy, username]): Promise<Subject> => {
      const { functionName, functionArn } = define(handler);
      const secretId = await stored(`bench/aws-${handler}`, { username, password, masterarn });
      return {
        ...{ name, whose: 'aws', strategy, functionName },
        rotate: () => rotateBy(client, secretId, functionArn),
      };
    }),
  );
}

/** Both strategies in one real stack; their functions are one. */
async function ours(account: Account, server: Postgres, port: number): Promise<Subject[]> {
  const client = new SecretsManagerClient(access(account));
  const admin = 'bench/admin';
  await client.send(
    new CreateSecretCommand({
      Name: admin,
      SecretString: JSON.stringify({ username: server.user, password: server.password }),
    }),
  );
  const shared = { dsn: 'DATABASE_URL', tls: { authorities: { pem: server.ca ?? '' } } };
  const pair = {
    strategy: 'alternating-users',
    users: ['ours_pair', 'ours_pair_b'],
    owner: 'ours_pair_owner',
    admin: { user: { secret: admin, member: 'username' }, password: { secret: admin, member: 'password' } },
  };
  const declared = [
    ['SINGLE', 'single-user', 'ours_single', { strategy: 'single-user' }],
    ['PAIR', 'alternating-users', 'ours_pair', pair],
  ] as const;
  const nameOfSecret = (key: string) => `bench/${key.toLowerCase()}`;
  const file = {
    name: deploymentName,
    platform: 'ocore',
    secrets: Object.fromEntries(
      declared.map(([key, , , options]) => [
        key,
        {
          class: classId,
          options: { ...shared, ...options },
          source: { create: { name: nameOfSecret(key) } },
          consumers: [],
          probe: null,
        },
      ]),
    ),
    consumers: {},
  };
  const resolved = resolveDeployment(parseDeployment(JSON.stringify(file), 'the bench’s deployment'));
  const [template = ''] = synthesise([resolved]);
  await account.deploy(template);
  await closed(account);
  const person = operatorOf(access(account));
  return Promise.all(
    declared.map(async ([key, strategy, user]): Promise<Subject> => {
      const url = `postgres://${user}:${password}@localhost:${port}/postgres`;
      await person.edit(nameOfSecret(key), new Sensitive(JSON.stringify({ DATABASE_URL: url })));
      return {
        ...{ name: `${classId}, ${strategy}`, whose: 'keyturn', strategy },
        functionName: nameOf(deploymentName, classId),
        rotate: () => person.rotate(nameOfSecret(key)),
      };
    }),
  );
}

/** A port that leads to another one, and counts. */
async function openDoor(to: number) {
  let opened = 0;
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    opened += 1;
    const outgoing = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => sockets.delete(one));
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the door has no port');
  return {
    port: address.port,
    count: () => opened,
    clear() {
      opened = 0;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
