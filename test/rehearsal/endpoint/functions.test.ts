import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Functions } from '../../../lib/rehearsal/endpoint/functions.ts';
import type { InvocationFault } from '../../../lib/rehearsal/endpoint/invocation-faults.ts';

const arn = 'arn:aws:lambda:eu-central-1:111122223333:function:probe';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start(code: string, { timeoutSeconds = 5, concurrency = 10, file = 'index.mjs' } = {}) {
  const codeDirectory = await mkdtemp(path.join(tmpdir(), 'keyturn-fn-'));
  await writeFile(path.join(codeDirectory, file), code);
  const lines: string[] = [];
  const functions = new Functions({
    endpoint: () => 'http://127.0.0.1:9',
    onLog: (_, line) => lines.push(line),
    concurrency,
  });
  functions.define({
    arn,
    name: 'probe',
    handler: 'index.handler',
    codeDirectory,
    environment: { COLOUR: 'green' },
    timeoutSeconds,
    memoryMb: 256,
    roleArn: 'arn:aws:iam::111122223333:role/probe',
  });
  stops.push(async () => {
    await functions.stop();
    await rm(codeDirectory, { recursive: true });
  });
  return { functions, lines };
}

describe('a function', () => {
  it('sees the environment of the template and of Lambda, and nothing of the machine', async () => {
    const { functions } = await start('export const handler = async () => Object.keys(process.env).sort();');
    process.env.KEYTURN_LEAK = 'of the machine';
    const result = await functions.invoke(arn, {});
    delete process.env.KEYTURN_LEAK;
    expect(result).toEqual({
      ok: true,
      payload: [
        'AWS_ACCESS_KEY_ID',
        'AWS_DEFAULT_REGION',
        'AWS_ENDPOINT_URL',
        'AWS_EXECUTION_ENV',
        'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
        'AWS_LAMBDA_FUNCTION_NAME',
        'AWS_LAMBDA_FUNCTION_VERSION',
        'AWS_LAMBDA_INITIALIZATION_TYPE',
        'AWS_LAMBDA_LOG_FORMAT',
        'AWS_LAMBDA_LOG_GROUP_NAME',
        'AWS_LAMBDA_LOG_STREAM_NAME',
        'AWS_REGION',
        'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED',
        'AWS_SECRET_ACCESS_KEY',
        'AWS_SESSION_TOKEN',
        'COLOUR',
        'LAMBDA_TASK_ROOT',
        'LANG',
        'PATH',
        'TZ',
        '_HANDLER',
      ],
    });
  });

  it('gets a context with its ARN, a request id and the time that is left', async () => {
    const { functions } = await start(
      'export const handler = async (event, c) => [event.n, c.functionName, c.invokedFunctionArn, c.awsRequestId.length, c.getRemainingTimeInMillis()];',
    );
    const result = await functions.invoke(arn, { n: 7 });
    const payload = result.ok && Array.isArray(result.payload) ? result.payload : [];
    expect(payload.slice(0, 4)).toEqual([7, 'probe', arn, 36]);
    expect(payload[4]).toBeGreaterThan(3000);
    expect(payload[4]).toBeLessThanOrEqual(5000);
  });

  it('stays warm between invocations and starts cold after recycle', async () => {
    const { functions } = await start('let n = 0; export const handler = async () => ++n;');
    expect(await functions.invoke(arn, {})).toMatchObject({ payload: 1 });
    expect(await functions.invoke(arn, {})).toMatchObject({ payload: 2 });
    functions.recycle(arn);
    expect(await functions.invoke(arn, {})).toMatchObject({ payload: 1 });
    expect(functions.invocations.map(({ coldStart }) => coldStart)).toEqual([true, false, true]);
  });

  it('fails with the name of the error, and the log shows its fields and causes', async () => {
    const { functions, lines } = await start(`
      export const handler = async () => {
        const error = new Error('outer', { cause: new TypeError('inner holds canary-1') });
        error.name = 'TargetRejected'; error.code = 'rejected'; error.detail = { holds: 'canary-2' };
        throw error;
      };`);
    expect(await functions.invoke(arn, {})).toMatchObject({
      ok: false,
      errorType: 'TargetRejected',
      errorMessage: 'outer',
    });
    await functions.stop();
    const logged = lines.join('\n');
    expect(logged).toContain('"errorType":"TargetRejected"');
    expect(logged).toContain('inner holds canary-1');
    expect(logged).toContain('canary-2');
  });

  it('is killed at its time-out, and the next invocation starts a new process', async () => {
    const { functions } = await start(
      'let n = 0; export const handler = async (e) => (n++, e.hang ? await new Promise(() => setInterval(() => {}, 1e3)) : n);',
      { timeoutSeconds: 1 },
    );
    const result = await functions.invoke(arn, { hang: true });
    expect(result).toMatchObject({ ok: false, errorType: 'Sandbox.Timedout' });
    expect(result.ok ? '' : result.errorMessage).toMatch(/Error: Task timed out after 1\.00 seconds$/);
    expect(await functions.invoke(arn, {})).toEqual({ ok: true, payload: 1 });
  });

  it('reports a crash as Runtime.ExitError', async () => {
    const { functions } = await start('export const handler = async () => process.exit(3);');
    const result = await functions.invoke(arn, {});
    expect(result).toMatchObject({ ok: false, errorType: 'Runtime.ExitError' });
    expect(result.ok ? '' : result.errorMessage).toMatch(/Runtime exited with error: exit status 3$/);
  });

  it('reports a handler that is missing, and one that fails while loading', async () => {
    const missing = await start('export const other = 1;');
    expect(await missing.functions.invoke(arn, {})).toMatchObject({ errorType: 'Runtime.HandlerNotFound' });
    const throwing = await start('throw new RangeError("COLOUR must be blue");');
    expect(await throwing.functions.invoke(arn, {})).toMatchObject({
      errorType: 'RangeError',
      errorMessage: 'COLOUR must be blue',
    });
  });

  it('takes one invocation at a time per process, in as many processes as allowed', async () => {
    const code =
      'let n = 0; export const handler = async () => { n++; await new Promise((r) => setTimeout(r, 200)); return n; };';
    const parallel = await start(code);
    const both = await Promise.all([parallel.functions.invoke(arn, {}), parallel.functions.invoke(arn, {})]);
    expect(both).toEqual([
      { ok: true, payload: 1 },
      { ok: true, payload: 1 },
    ]);
    const single = await start(code, { concurrency: 1 });
    const queued = await Promise.all([single.functions.invoke(arn, {}), single.functions.invoke(arn, {})]);
    expect(queued).toEqual([
      { ok: true, payload: 1 },
      { ok: true, payload: 2 },
    ]);
  });

  it('may not be given variables that Lambda reserves', async () => {
    const { functions } = await start('');
    const spec = functions.list()[0];
    expect(() => spec && functions.define({ ...spec, environment: { AWS_REGION: 'x' } })).toThrow(
      /AWS_REGION is reserved/,
    );
    expect(() => spec && functions.define({ ...spec, environment: { BIG: 'x'.repeat(5000) } })).toThrow(
      /5003 bytes/,
    );
  });
});

describe('a fault', () => {
  const counting =
    'let n = 0; export const handler = async ({ Step }) => { n++; console.log(Step + n); return n; };';
  const table: [
    sentence: string,
    fault: Omit<InvocationFault, 'pattern'>,
    results: unknown[],
    runs: number,
  ][] = [
    ['refuses an invocation', { kind: 'refuse', after: 1 }, [1, 'Lambda.TooManyRequestsException', 2], 2],
    [
      'refuses with the error that it names',
      { kind: 'refuse', errorType: 'Lambda.ServiceException' },
      ['Lambda.ServiceException', 1, 2],
      2,
    ],
    [
      'loses the result of one that ran',
      { kind: 'lose-result', times: 2 },
      ['Sandbox.Timedout', 'Sandbox.Timedout', 3],
      3,
    ],
    ['runs one twice', { kind: 'twice' }, [2, 3, 4], 4],
    ['leaves other functions alone', { kind: 'refuse', functionName: 'other' }, [1, 2, 3], 3],
  ];
  for (const [sentence, fault, results, runs] of table) {
    it(sentence, async () => {
      const { functions, lines } = await start(counting);
      functions.faults.add({ ...fault, pattern: { Step: ['createSecret'] } });
      await functions.invoke(arn, { Step: 'x' });
      const got: unknown[] = [];
      for (const _ of results) {
        const result = await functions.invoke(arn, { Step: 'createSecret' });
        got.push(result.ok ? Number(result.payload) - 1 : result.errorType);
      }
      expect(got).toEqual(results);
      await functions.stop();
      expect(lines.filter((line) => line.startsWith('createSecret'))).toHaveLength(runs);
    });
  }

  it('runs one beside itself, in two processes', async () => {
    const { functions } = await start(
      'export const handler = async () => { await new Promise((r) => setTimeout(r, 100)); return process.pid; };',
    );
    functions.faults.add({ kind: 'beside' });
    await functions.invoke(arn, {});
    expect(functions.invocations.map(({ coldStart }) => coldStart)).toEqual([true, true]);
    expect(functions.faults.pending).toBe(0);
  });
});

describe('a permission', () => {
  const rule = 'arn:aws:events:eu-central-1:111122223333:rule/keyturn/finished';
  const table: [
    sentence: string,
    permission: object,
    principal: string,
    source: string | undefined,
    allowed: boolean,
  ][] = [
    ['admits its principal', {}, 'events.amazonaws.com', undefined, true],
    ['admits no other principal', {}, 'secretsmanager.amazonaws.com', undefined, false],
    ['admits this account', { sourceAccount: '111122223333' }, 'events.amazonaws.com', undefined, true],
    [
      'does not admit another account',
      { sourceAccount: '999999999999' },
      'events.amazonaws.com',
      undefined,
      false,
    ],
    ['admits the source that it names', { sourceArn: rule }, 'events.amazonaws.com', rule, true],
    [
      'admits a source that its wildcard covers',
      { sourceArn: 'arn:aws:events:*:*:rule/keyturn/*' },
      'events.amazonaws.com',
      rule,
      true,
    ],
    ['does not admit another source', { sourceArn: rule }, 'events.amazonaws.com', `${rule}2`, false],
    [
      'does not admit a caller without a source',
      { sourceArn: rule },
      'events.amazonaws.com',
      undefined,
      false,
    ],
  ];
  for (const [sentence, permission, principal, source, allowed] of table) {
    it(sentence, async () => {
      const { functions } = await start('');
      functions.permit({ functionArn: arn, principal: 'events.amazonaws.com', ...permission });
      expect(functions.permits(arn, principal, source)).toBe(allowed);
    });
  }
});
