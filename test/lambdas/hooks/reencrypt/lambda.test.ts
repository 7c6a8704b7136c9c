/** A team's own function behind Lambda's Invoke, which keeps rows and may fail. */
import { inspect } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, test } from 'vitest';
import { reencryptFunctions } from '../../../../lambdas/adapters/reencrypt/lambda.ts';
import { hook, type ReencryptEvent } from '../../../../lambdas/hooks/reencrypt/lambda.ts';
import { canary, openServer, portsOf, secretId, slice } from './platforms.ts';

const closes: (() => void)[] = [];
afterEach(() => {
  for (const close of closes.splice(0)) close();
});

/** What the function does instead of its work, once each. */
type Odd = 'throws' | 'throttled' | 'silent' | { readonly answers: unknown };

/**
 * Moves `perSlice` rows per invocation, and carries in its cursor how many it has moved. The stand-in speaks
 * Invoke: a function's error is a 200 with a header (Lambda API reference, Invoke).
 */
async function opened(options: { readonly rows: number; readonly perSlice: number; readonly odd?: Odd[] }) {
  const state = { old: options.rows, odd: [...(options.odd ?? [])], pass: (_milliseconds: number) => {} };
  const events: ReencryptEvent[] = [];
  const server = await openServer(({ path, body }) => {
    if (path !== '/2015-03-31/functions/mover%3Alive/invocations') {
      return { status: 404, headers: { 'x-amzn-errortype': 'ResourceNotFoundException' } };
    }
    const event = body as unknown as ReencryptEvent;
    events.push(event);
    const odd = state.odd.shift();
    if (odd === 'throttled')
      return { status: 429, headers: { 'x-amzn-errortype': 'TooManyRequestsException' } };
    if (odd === 'silent') return { text: '' };
    if (odd === 'throws') {
      return { headers: { 'x-amz-function-error': 'Unhandled' }, body: { errorMessage: canary } };
    }
    if (odd !== undefined) return { body: odd.answers };
    state.pass(10_000);
    const before = event.cursor === null ? 0 : Number(event.cursor);
    const moved = event.dryRun ? 0 : Math.min(state.old, options.perSlice);
    state.old -= moved;
    const finished = event.dryRun || state.old === 0;
    const counts = { total: options.rows, moved: before + moved, left: state.old, poisoned: 0 };
    return {
      body: {
        finished,
        cursor: finished ? null : String(before + moved),
        targets: [{ target: 'public.secrets', ...counts }],
        setAside: [],
      },
    };
  });
  closes.push(server.close);
  const client = new LambdaClient({
    endpoint: server.url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIAHOOKS', secretAccessKey: 'x' },
    maxAttempts: 1,
  });
  const bound = hook.connect(reencryptFunctions(client)).bind({ kind: 'lambda', function: 'mover:live' });
  if (!bound.ok) throw new Error(bound.broken.join());
  return { ...bound.hook, events, state };
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    (answer) => ({ answered: answer }),
    (caught: unknown) => caught,
  );
  expect(
    JSON.stringify(error) + inspect(Object.assign(new Error(), error, { cause: undefined })),
  ).not.toContain(canary);
  return error;
}

describe('a function', () => {
  test('is invoked until it has finished, with ids only', async () => {
    const { run, events } = await opened({ rows: 25, perSlice: 10 });
    const { ports, reports } = portsOf();
    expect(await run(slice(), ports)).toEqual({
      finished: true,
      cursor: null,
      targets: [{ target: 'public.secrets', total: 25, moved: 25, left: 0, poisoned: 0 }],
      setAside: [],
    });
    expect(reports).toHaveLength(3);
    expect(events.map(({ cursor }) => cursor)).toEqual([null, '10', '20']);
    expect(events[0]).toEqual({
      schema: 1,
      do: 'reencrypt',
      secretArn: secretId,
      versionIds: ['version-of-new', 'version-of-old'],
      writeKeyId: 'aaaaaaaaaaaa',
      otherKeyIds: ['bbbbbbbbbbbb'],
      cursor: null,
      dryRun: false,
      remaining: 798_000,
    });
    expect(JSON.stringify(events)).not.toContain(canary);
  });

  test('is not invoked again when the time would not do for it, and goes on where it stopped', async () => {
    const { run, events, state } = await opened({ rows: 25, perSlice: 10 });
    const short = portsOf({ milliseconds: 31_000 });
    state.pass = short.pass;
    const first = await run(slice(), short.ports);
    expect(first).toMatchObject({ finished: false, cursor: '10', targets: [{ moved: 10, left: 15 }] });
    expect(events).toHaveLength(1);
    const second = await run(slice({ cursor: first.cursor }), portsOf().ports);
    expect(second).toMatchObject({ finished: true, targets: [{ moved: 25, left: 0 }] });
  });

  test('counts without a change, and so it does in a dry run', async () => {
    const { run, count, events, state } = await opened({ rows: 25, perSlice: 10 });
    const left = { finished: true, targets: [{ moved: 0, left: 25 }] };
    expect(await count(slice(), portsOf().ports)).toMatchObject(left);
    expect(await run(slice({ dryRun: true }), portsOf().ports)).toMatchObject(left);
    expect(events.map((event) => `${event.do} ${event.dryRun}`)).toEqual(['count true', 'reencrypt true']);
    expect(state.old).toBe(25);
  });

  test.each<[Odd, object]>([
    [
      'throws',
      {
        code: 'ReencryptionFailed',
        message: 'The function mover:live must end without an error; it failed.',
      },
    ],
    ['throttled', { code: 'AwsThrottled' }],
    [
      'silent',
      {
        code: 'ReencryptionFailed',
        message: 'The function mover:live must answer with a report as declared; the whole is not.',
      },
    ],
  ])('that %s is an error that may be tried again, without what it says', async (odd, error) => {
    const { run } = await opened({ rows: 5, perSlice: 10, odd: [odd] });
    expect(await refusal(run(slice(), portsOf().ports))).toMatchObject({ retryable: true, ...error });
    expect(await run(slice(), portsOf().ports)).toMatchObject({ finished: true });
  });

  const report = { finished: true, cursor: null, targets: [], setAside: [] };
  const count = { target: 'a', total: 1, moved: 0, left: 0, poisoned: 0 };
  const declared = (where: string) =>
    `The function mover:live must answer with a report as declared; ${where} is not.`;
  const counts =
    'The function mover:live must answer with counts from 0 on, poisoned ones among those left; it did not.';
  const named = 'The function mover:live must answer with at most 100 targets named by ids; it did not.';
  test.each([
    [{ ...report, finished: canary }, declared('finished')],
    [{ ...report, [canary]: 1 }, declared('the whole')],
    [{ ...report, cursor: canary.repeat(400) }, declared('cursor')],
    [{ ...report, targets: [{ ...count, left: canary }] }, declared('targets.0.left')],
    [{ ...report, targets: [{ ...count, target: `${canary} = ${canary}` }] }, named],
    [
      { ...report, targets: Array.from({ length: 101 }, (_, index) => ({ ...count, target: `t${index}` })) },
      named,
    ],
    [{ ...report, targets: [{ ...count, left: -1 }] }, counts],
    [{ ...report, targets: [{ ...count, poisoned: 1 }] }, counts],
    [{ ...report, setAside: [{ target: 'a', row: '1', poison: `${canary}!` }] }, counts],
  ])('must answer with a report: %#', async (answers, message) => {
    const { run } = await opened({ rows: 5, perSlice: 10, odd: [{ answers }] });
    expect(await refusal(run(slice(), portsOf().ports))).toMatchObject({
      code: 'ReencryptionFailed',
      message,
    });
  });

  test('shows no row that could be a value, and none of its notes', async () => {
    const answers = {
      ...report,
      targets: [{ ...count, left: 2, poisoned: 2 }],
      setAside: [
        { target: 'a', row: `gAAAAA${canary}${'x'.repeat(50)}`, poison: 'malformed' },
        { target: 'a', row: '42', poison: 'malformed' },
      ],
      notes: [canary],
    };
    const { run } = await opened({ rows: 5, perSlice: 10, odd: [{ answers }] });
    const shown = await run(slice(), portsOf().ports);
    expect(JSON.stringify(shown)).not.toContain(canary);
    expect(shown.setAside.map(({ row }) => row.replace(/[0-9a-f]{12}$/, ''))).toEqual(['unshown-', '42']);
  });

  test('whose cursor stands still is left to the next slice', async () => {
    const answers = { ...report, finished: false };
    const { run, events } = await opened({ rows: 5, perSlice: 10, odd: [{ answers }, { answers }] });
    expect(await run(slice(), portsOf().ports)).toMatchObject({ finished: false });
    expect(events).toHaveLength(1);
  });

  test('that does not answer in time may be asked again', async () => {
    const server = await openServer(() => ({}));
    closes.push(server.close);
    const client = {
      send: (_command: object, { abortSignal }: { abortSignal: AbortSignal }) => aborted(abortSignal),
    };
    const bound = hook.connect(reencryptFunctions(client as unknown as LambdaClient)).bind({
      kind: 'lambda',
      function: 'mover',
    });
    if (!bound.ok) throw new Error(bound.broken.join());
    expect(await refusal(bound.hook.run(slice(), portsOf({ milliseconds: 2_020 }).ports))).toMatchObject({
      code: 'HookUnreachable',
      retryable: true,
    });
  });
});

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(Object.assign(new Error(), { name: 'AbortError' })));
  });
}

test('may invoke this function', () => {
  expect(hook.check({ kind: 'lambda', function: 'mover:live' })).toEqual({
    ok: true,
    hook: {
      credentials: [],
      counts: true,
      statements: [
        {
          actions: ['lambda:InvokeFunction'],
          resources: ['arn:{partition}:lambda:{region}:{account}:function:mover:live'],
        },
      ],
    },
  });
});
