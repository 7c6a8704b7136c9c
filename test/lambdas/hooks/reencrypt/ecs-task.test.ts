/** A team's own task against the endpoint's ECS: every task is a process that keeps its state in a file. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ECSClient } from '@aws-sdk/client-ecs';
import { afterEach, describe, expect, test } from 'vitest';
import { ecsTasks } from '../../../../lambdas/adapters/reencrypt/ecs-task.ts';
import type { ReencryptPorts } from '../../../../lambdas/contract/reencryption.ts';
import { hook } from '../../../../lambdas/hooks/reencrypt/ecs-task.ts';
import { Ecs } from '../../../../lib/rehearsal/endpoint/ecs.ts';
import { serve } from '../../../rehearsal/endpoint/loopback.ts';
import { canary, secretId, slice } from './platforms.ts';

/**
 * Each line of `rows` is `old` or `new`. It waits for the file `go`, tells what it was given, ends with the exit
 * code of the first line of `codes` if there is one, and else moves or counts the rows.
 */
const app = `
  import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
  const { DIRECTORY, KEYTURN_DO, ...rest } = process.env;
  const at = (name) => DIRECTORY + '/' + name;
  const own = Object.entries(rest).filter(([name]) => name.startsWith('KEYTURN_'));
  appendFileSync(at('runs'), JSON.stringify({ do: KEYTURN_DO, ...Object.fromEntries(own) }) + '\\n');
  while (!existsSync(at('go'))) await new Promise((resolve) => setTimeout(resolve, 5));
  const [code, ...codes] = readFileSync(at('codes'), 'utf8').split('\\n').filter(Boolean);
  if (code !== undefined) {
    writeFileSync(at('codes'), codes.join('\\n'));
    console.error('${canary}');
    process.exit(Number(code));
  }
  const rows = readFileSync(at('rows'), 'utf8');
  if (KEYTURN_DO === 'count') process.exit(rows.includes('old') ? 3 : 0);
  writeFileSync(at('rows'), rows.replaceAll('old', 'new'));`;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function opened(members: object = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-task-'));
  const at = (name: string) => join(directory, name);
  writeFileSync(at('rows'), 'old\nold\n');
  writeFileSync(at('codes'), '');
  writeFileSync(at('go'), '');
  appendFileSync(at('runs'), '');
  let skew = 0;
  const ecs = new Ecs({ now: () => Date.now() + skew, resolveSecret: async () => '', onLog: () => {} });
  ecs.defineTask({
    cluster: 'main',
    family: 'rewrap',
    container: 'app',
    command: [process.execPath, '--input-type=module', '-e', app],
    environment: { DIRECTORY: directory },
  });
  const server = await serve({
    signingName: 'ecs',
    handle: (operation, input) => ecs.handle(operation, input),
  });
  ends.push(
    () => rmSync(directory, { recursive: true }),
    () => ecs.stop(),
    server.stop,
  );
  const connected = hook.connect(ecsTasks(new ECSClient(server.config)));
  const bind = (more: object = {}) => {
    const result = connected.bind({ ...declared, ...members, ...more });
    if (!result.ok) throw new Error(result.broken.join());
    return result.hook;
  };
  return {
    at,
    bind,
    ...bind(),
    rows: () => readFileSync(at('rows'), 'utf8'),
    runs: () =>
      readFileSync(at('runs'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    /** Moves the clock of ECS. */
    shift: (milliseconds: number) => {
      skew += milliseconds;
    },
  };
}

const declared = {
  kind: 'ecs-task',
  cluster: 'main',
  taskDefinition: 'rewrap',
  container: 'app',
  network: { subnets: ['subnet-0123456789abcdef0'] },
  count: 'task',
};

/** Real processes need real time: a pause is a moment, and the time is short after `pauses` of them. */
function patient(pauses = 2_000): ReencryptPorts {
  let left = pauses;
  return {
    clock: {
      now: () => new Date(),
      sleep: async () => {
        left -= 1;
        await wait(5);
      },
    },
    log: () => {},
    credential: () => Promise.reject(new Error('no credential is needed')),
    remaining: () => (left > 0 ? 800_000 : 0),
    progress: () => {},
  };
}

async function begun(run: Awaited<ReturnType<typeof opened>>['run']): Promise<string> {
  const noted = await run(slice(), patient());
  expect(noted).toMatchObject({ finished: false, targets: [], setAside: [] });
  return noted.cursor ?? '';
}

describe('a task', () => {
  test('is told ARNs and ids, and is done when it has ended with 0', async () => {
    const { run, count, rows, runs } = await opened();
    expect(await count(slice(), patient())).toMatchObject({
      finished: true,
      targets: [{ target: 'rewrap', total: null, moved: 0, left: 1, poisoned: 0 }],
    });
    const cursor = await begun(run);
    expect(rows()).toContain('old');
    expect(await run(slice({ cursor }), patient())).toEqual({
      finished: true,
      cursor: null,
      targets: [],
      setAside: [],
    });
    expect(rows()).toBe('new\nnew\n');
    const ids = {
      KEYTURN_SECRET_ARN: secretId,
      KEYTURN_VERSION_IDS: 'version-of-new,version-of-old',
      KEYTURN_WRITE_KEY_ID: 'aaaaaaaaaaaa',
      KEYTURN_OTHER_KEY_IDS: 'bbbbbbbbbbbb',
    };
    expect(runs()).toEqual([
      { do: 'count', ...ids },
      { do: 'reencrypt', ...ids },
    ]);
    expect(await count(slice(), patient())).toMatchObject({ targets: [{ left: 0 }] });
  });

  test('outlasts the slice that started it, and no second one is started', async () => {
    const { run, at, runs } = await opened();
    rmSync(at('go'));
    const cursor = await begun(run);
    const unfinished = await run(slice({ cursor }), patient(3));
    expect(unfinished).toMatchObject({ finished: false });
    expect(unfinished.cursor).toContain('task/main/');
    // The process died before its answer was kept: the slice runs again with the cursor before.
    expect(await run(slice({ cursor }), patient(3))).toEqual(unfinished);
    writeFileSync(at('go'), '');
    expect(await run(slice({ cursor: unfinished.cursor }), patient())).toMatchObject({ finished: true });
    expect(runs()).toHaveLength(1);
  });

  test('that fails is started anew, and is an error after its tries, without what it printed', async () => {
    const { run, at, runs, rows } = await opened();
    writeFileSync(at('codes'), '1\n137\n');
    expect(await run(slice({ cursor: await begun(run) }), patient())).toMatchObject({ finished: true });
    expect(rows()).toBe('new\nnew\n');
    expect(runs()).toHaveLength(3);
    writeFileSync(at('codes'), '7\n7\n7\n7\n7\n7\n7\n');
    const other = slice({ secretId: `${secretId}x` });
    const cursor = await begun(run);
    await expect(run({ ...other, cursor }, patient())).rejects.toMatchObject({
      code: 'ReencryptionFailed',
      retryable: true,
      message: 'The task rewrap must end with exit code 0; it ended with 7.',
    });
    expect(runs()).toHaveLength(6);
  });

  test('of a former run proves nothing, neither its success nor its failure', async () => {
    const { run, at, runs, rows, shift } = await opened({ tries: 1 });
    shift(-3_600_000);
    writeFileSync(at('codes'), '');
    // The clock of ECS stood an hour earlier: for the next run, this task is of a former one.
    const former = await run(slice({ cursor: '{"began":0,"pass":0,"failed":0}' }), patient());
    expect(former).toMatchObject({ finished: true });
    shift(3_600_000);
    writeFileSync(at('rows'), 'old\n');
    expect(await run(slice({ cursor: await begun(run) }), patient())).toMatchObject({ finished: true });
    expect(rows()).toBe('new\n');
    expect(runs()).toHaveLength(2);
  });

  test('that was started before the deployment changed is waited for', async () => {
    const { run, bind, runs, at } = await opened();
    rmSync(at('go'));
    const cursor = await begun(run);
    await run(slice({ cursor }), patient(3));
    const changed = bind({ network: { subnets: ['subnet-fedcba9876543210f'] } });
    const waiting = await changed.run(slice({ cursor }), patient(3));
    expect(waiting).toMatchObject({ finished: false });
    expect(runs()).toHaveLength(1);
  });

  test('whose count ends otherwise is an error, and one of another hook counts where it says so', async () => {
    const { count, at, bind, runs } = await opened();
    writeFileSync(at('codes'), '1\n');
    await expect(count(slice(), patient())).rejects.toMatchObject({ code: 'ReencryptionFailed' });
    expect(await bind({ count: 'elsewhere' }).count(slice(), patient())).toMatchObject({
      finished: true,
      targets: [],
    });
    expect(runs()).toHaveLength(1);
  });

  test('that ECS does not know is refused', async () => {
    const { bind } = await opened();
    const { run } = bind({ taskDefinition: 'other' });
    await expect(run(slice({ cursor: await begun(run) }), patient())).rejects.toMatchObject({
      code: 'AwsRefused',
    });
  });
});

test('may run this task definition in this cluster, look at its tasks and hand on the declared roles', () => {
  const role = 'arn:aws:iam::111122223333:role/rewrap';
  const scope = 'arn:{partition}:ecs:{region}:{account}';
  const describes = {
    actions: ['ecs:DescribeTasks'],
    resources: [`${scope}:task/main/*`],
    wildcardReason: 'The ids of tasks are made by ECS and change with every task.',
  };
  const conditions = { ArnEquals: { 'ecs:cluster': `${scope}:cluster/main` } };
  expect(hook.check({ ...declared, taskDefinition: 'rewrap:7', roles: [role] })).toEqual({
    ok: true,
    hook: {
      credentials: [],
      counts: true,
      statements: [
        { actions: ['ecs:RunTask'], resources: [`${scope}:task-definition/rewrap:7`], conditions },
        describes,
        {
          actions: ['iam:PassRole'],
          resources: [role],
          conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
        },
      ],
    },
  });
  expect(hook.check({ ...declared, count: 'elsewhere' })).toMatchObject({
    hook: {
      counts: false,
      statements: [{ resources: [`${scope}:task-definition/rewrap:*`], conditions }, describes],
    },
  });
});

test.each([
  [
    { network: undefined },
    'network must be given with launch FARGATE: each of its tasks has an address of its own; it is missing.',
  ],
  [{ taskDefinition: 'a/b' }, 'taskDefinition must be a family, or family:revision; received "a/b".'],
  [{ roles: ['*'] }, 'roles.0 must be the ARN of a role; received "*".'],
  [{ count: undefined }, 'count must be one of task, elsewhere; received nothing.'],
])('bad members are refused: %j', (changed, sentence) => {
  expect(hook.check({ ...declared, ...changed })).toEqual({ ok: false, broken: [sentence] });
});
