/** Lambda as an operator's command sees it. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { operatorFunctions } from '../../../lambdas/adapters/aws/functions.ts';

const functionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:keyturn-shop-database-credential';

/** Invokes a function of a Lambda that answers like this. */
async function invoked(answer: (response: ServerResponse) => void) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    request.resume().on('end', () => answer(response));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const { invoke } = operatorFunctions({
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
  });
  const outcome = await invoke(functionArn, { keyturn: 'preflight' }).catch((caught: unknown) => caught);
  return { outcome, asked: asked.length };
}

test.each([
  ['what the function returned', {}, '{"steps":[]}', { ok: true, payload: { steps: [] } }],
  ['no JSON as nothing', {}, 'canary', { ok: true, payload: null }],
  [
    'a failure by its name alone',
    { 'X-Amz-Function-Error': 'Unhandled' },
    '{"errorType":"StepRefused","errorMessage":"canary","trace":["canary"]}',
    { ok: false, error: 'StepRefused' },
  ],
  [
    'a function that ran out of time, which older runtimes give no name',
    { 'X-Amz-Function-Error': 'Unhandled' },
    '{"errorMessage":"canary Task timed out after 60.00 seconds"}',
    { ok: false, error: 'an error' },
  ],
  [
    'a name that is none',
    { 'X-Amz-Function-Error': 'Unhandled' },
    '{"errorType":"canary value"}',
    { ok: false, error: 'an error' },
  ],
])('hands on %s', async (_what, headers, body, expected) => {
  const { outcome } = await invoked((response) => response.writeHead(200, headers).end(body));
  expect(outcome).toEqual(expected);
});

test.each([
  ['ResourceNotReadyException', 502, 'AwsUnreachable', /two weeks.*try again in some minutes/],
  ['ResourceNotFoundException', 404, 'AwsNotFound', null],
  ['ServiceException', 500, 'AwsRefused', null],
])('%s is asked for once, and told as %s', async (name, status, code, hint) => {
  const { outcome, asked } = await invoked((response) =>
    response.writeHead(status, { 'x-amzn-ErrorType': name }).end('{"Message":"canary"}'),
  );
  expect(outcome).toMatchObject({ code, message: `Invoke failed with ${name}.` });
  expect((outcome as { hint: string | null }).hint).toEqual(
    hint === null ? null : expect.stringMatching(hint),
  );
  expect(asked).toBe(1);
});
