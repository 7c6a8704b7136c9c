import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startAccount } from '../../../lib/rehearsal/endpoint/account.ts';
import { accountClient } from '../../../lib/rehearsal/endpoint/account-client.ts';
import { assembly, resources, writeTemplate } from './fixture/template.ts';
import { until } from './loopback.ts';

const app = `
  import { createServer } from 'node:http';
  createServer((_, response) => response.end(process.env.TOKEN)).listen(Number(process.env.PORT), '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));`;

let directory: string;
beforeAll(async () => {
  directory = await assembly();
  await writeFile(path.join(directory, 'app.mjs'), app);
});
afterAll(() => rm(directory, { recursive: true }));
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** The pipeline in an account, with a first value and a service that serves it. */
async function start(Resources: object = resources()) {
  const account = await startAccount({ compression: 600 });
  stops.push(() => account.stop());
  const client = accountClient(account.url);
  const deployed = await client.deploy(await writeTemplate(directory, 'pipeline', Resources));
  const credentials = { accessKeyId: 'AKIAOPERATOR', secretAccessKey: 'x' };
  const secrets = new SecretsManagerClient({
    endpoint: account.url,
    region: 'eu-central-1',
    credentials,
    maxAttempts: 1,
  });
  stops.push(() => secrets.destroy());
  const SecretId = String(deployed.resources.Secret);
  await until(async () =>
    (await client.rotations()).every(({ status }) => status !== 'running') ? true : undefined,
  );
  const value = async () => {
    const { SecretString = '{}' } = await secrets.send(new GetSecretValueCommand({ SecretId }));
    return JSON.parse(SecretString).TOKEN;
  };
  const rotate = () => secrets.send(new RotateSecretCommand({ SecretId }));
  const rotated = () =>
    until(
      async () =>
        (await client.rotations()).find(({ kind, status }) => kind === 'rotation' && status === 'succeeded'),
      15_000,
    );
  return { client, deployed, secrets, SecretId, value, rotate, rotated };
}

async function withService(account: Awaited<ReturnType<typeof start>>) {
  const { client, secrets, SecretId } = account;
  await secrets.send(
    new PutSecretValueCommand({ SecretId, SecretString: '{"TOKEN":"the-first-value-of-all"}' }),
  );
  const port = await client.defineService({
    cluster: 'main',
    service: 'web',
    desiredCount: 2,
    command: [process.execPath, path.join(directory, 'app.mjs')],
    environment: {},
    secrets: { TOKEN: `${SecretId}:TOKEN::` },
    healthPath: '/',
  });
  return async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
}

describe('an account', () => {
  it('runs a template all the way: rotation, event, rollout, restart', async () => {
    const account = await start();
    const { client, value, rotate, rotated } = account;
    const served = await withService(account);
    expect(await served()).toBe('the-first-value-of-all');

    const { VersionId } = await rotate();
    await rotated();
    const execution = await until(
      async () => (await client.executions()).find(({ status }) => status !== 'RUNNING'),
      15_000,
    );
    expect(execution).toMatchObject({ name: VersionId, status: 'SUCCEEDED' });
    expect(execution.stateTransitions).toBeGreaterThanOrEqual(3);

    const current = await value();
    expect(current).not.toBe('the-first-value-of-all');
    expect(await served()).toBe(current);
    expect(await served()).toBe(current);

    const { items: notifications } = await client.notifications();
    expect(notifications.map(({ message }) => message)).toEqual([`version ${VersionId} is published`]);
    const { items: events } = await client.events();
    expect(events.map(({ event }) => event['detail-type'])).toContain('Rotated');
    expect(events.flatMap(({ deliveries }) => deliveries.map(({ outcome }) => outcome))).toEqual([
      'delivered',
      'delivered',
    ]);

    const calls = await client.calls();
    const writes = calls.filter(
      ({ operation, caller }) => operation === 'PutSecretValue' && caller === 'rotation',
    );
    expect(writes.map(({ count }) => count)).toEqual([1]);
    expect(await client.leaks()).toEqual({ leaks: [], watched: 2 });
    const history = await client.history(execution.arn);
    expect(history.at(-1)?.type).toBe('ExecutionSucceeded');
  });

  it('finds a value that a function lets out, and names it without showing it', async () => {
    const account = await start();
    const { client, secrets, SecretId } = account;
    await secrets.send(
      new PutSecretValueCommand({ SecretId, SecretString: '{"TOKEN":"a-value-of-the-secret"}' }),
    );
    expect(await client.invoke('chatty', { secretId: SecretId })).toMatchObject({ ok: true });
    const { leaks } = await until(async () => {
      const found = await client.leaks();
      return found.leaks.length > 0 ? found : undefined;
    });
    expect(leaks).toEqual([
      {
        label: `${SecretId} TOKEN`,
        where: 'log of arn:aws:lambda:eu-central-1:111122223333:function:chatty',
        form: 'base64',
      },
    ]);
  });

  it('lets a function crash after a call, and the rotation ends well in the next attempt', async () => {
    const { client, rotate, rotated } = await start();
    await client.faultCall({ kind: 'crash-after', operation: 'PutSecretValue', functionName: 'rotation' });
    await rotate();
    const run = await rotated();
    expect(run.attempts.map(({ failure }) => failure === null)).toEqual([false, true]);
    expect(run.attempts[0]?.steps.at(-1)?.outcome).toMatchObject({ errorType: 'Runtime.ExitError' });
    const puts = (await client.calls()).filter(({ operation }) => operation === 'PutSecretValue');
    expect(puts.map(({ count }) => count)).toEqual([1]);
    expect(await client.pendingFaults()).toBe(0);
  });

  it('shows a statement that is missing from a role, and one that is missing for the key', async () => {
    const without = (action: string) => {
      const all = resources();
      return JSON.parse(JSON.stringify(all).replaceAll(`"${action}"`, '"sts:GetCallerIdentity"'));
    };
    for (const [action, text] of [
      [
        'secretsmanager:PutSecretValue',
        'is not authorized to perform: secretsmanager:PutSecretValue on resource: ',
      ],
      ['kms:GenerateDataKey', 'Access to KMS is not allowed'],
    ] as const) {
      const { client, rotate } = await start(without(action));
      await rotate();
      await until(async () =>
        (await client.logs()).items.some(({ line }) => line.includes(text)) ? true : undefined,
      );
    }
  });

  it('refuses what it does not know, by name', async () => {
    const account = await startAccount();
    stops.push(() => account.stop());
    const deploy = async (Resources: object) =>
      account.deploy(await writeTemplate(directory, 'wrong', Resources));
    await expect(deploy({ Thing: { Type: 'AWS::DynamoDB::Table' } })).rejects.toThrow(
      'wrong, Thing (AWS::DynamoDB::Table): the rehearsal does not know resources of type AWS::DynamoDB::Table',
    );
    const { Rotation, RotationRole, Bus, Secret, Key } = resources();
    const untrusted = {
      ...RotationRole,
      Properties: { ...RotationRole.Properties, AssumeRolePolicyDocument: { Statement: [] } },
    };
    await expect(deploy({ Rotation, RotationRole: untrusted, Bus, Secret, Key })).rejects.toThrow(
      /wrong, Rotation \(AWS::Lambda::Function\): .* cannot be assumed by lambda\.amazonaws\.com/,
    );
  });

  it('answers control questions with 404 and 400 where it cannot', async () => {
    const account = await startAccount();
    stops.push(() => account.stop());
    const client = accountClient(account.url);
    const before = (await client.health()).now;
    expect((await client.advance(3_600_000)).now).toBeGreaterThanOrEqual(before + 3_600_000);
    await expect(client.deploy('/nowhere/x.template.json')).rejects.toThrow(/deploy: ENOENT/);
    await expect(client.fireRule('none')).rejects.toThrow('fire-rule: there is no rule none');
    expect((await fetch(`${account.url}/_keyturn/other`, { method: 'POST' })).status).toBe(404);
  });

  it('runs alone in a process, with templates from the command line', async () => {
    const { MachineRole } = resources();
    const waiting = JSON.stringify({
      StartAt: 'Wait',
      States: { Wait: { Type: 'Wait', Seconds: 999_999, End: true } },
    });
    const template = await writeTemplate(directory, 'alone', {
      MachineRole: { ...MachineRole, Properties: { ...MachineRole.Properties, Policies: [] } },
      Machine: {
        Type: 'AWS::StepFunctions::StateMachine',
        Properties: {
          StateMachineName: 'waiting',
          RoleArn: { 'Fn::GetAtt': ['MachineRole', 'Arn'] },
          DefinitionString: waiting,
        },
      },
    });
    const main = path.resolve('lib/rehearsal/endpoint/endpoint-main.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', main, '--compression', '60', template], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const [url] = await new Promise<string[]>((resolve) =>
      createInterface({ input: child.stdout }).once('line', (line) => resolve([line])),
    );
    expect(await accountClient(url ?? '').health()).toMatchObject({ url });
    const credentials = { accessKeyId: 'AKIAOPERATOR', secretAccessKey: 'x' };
    const states = new SFNClient({ endpoint: url ?? '', region: 'eu-central-1', credentials });
    const stateMachineArn = 'arn:aws:states:eu-central-1:111122223333:stateMachine:waiting';
    await states.send(new StartExecutionCommand({ stateMachineArn }));
    states.destroy();
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});
