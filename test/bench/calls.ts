/**
 * Secrets Manager calls per rotation: the deployed functions of every class, and AWS's templates beside them, all
 * rotated by the same local Secrets Manager and counted by its log of calls.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateSecretCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { buildSync } from 'esbuild';
import { operator as operatorOf } from '../../lambdas/adapters/aws/operator.ts';
import { parseDeployment } from '../../lambdas/contract/deployment.ts';
import { consentTag } from '../../lambdas/contract/marks.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { resolveDeployment } from '../../lib/deployment/resolve.ts';
import { nameOf } from '../../lib/pipeline-function.ts';
import type { Account } from '../../lib/rehearsal/endpoint/account.ts';
import { startAccount } from '../../lib/rehearsal/endpoint/account.ts';
import { account as accountId, region } from '../../lib/rehearsal/endpoint/wire.ts';
import { synthesise } from '../../lib/rehearsal/synthesise.ts';
import { settings } from '../simulation/settings.ts';

/** The calls of one rotation. */
export interface Counted {
  readonly calls: number;
  /** Calls from the pool of 50 a second: PutSecretValue, UpdateSecret, UpdateSecretVersionStage. */
  readonly writes: number;
  /** Connections over which these calls came. */
  readonly connections: number;
  /** Operations of each step, in their order. */
  readonly steps: Readonly<Record<string, readonly string[]>>;
}

export interface CallRow {
  /** A class, or the name of a template. */
  readonly name: string;
  readonly whose: 'keyturn' | 'aws';
  /** All four steps in one container that has rotated before. */
  readonly warm: Counted;
  /** The same, but finish runs in a container of its own. */
  readonly fresh: Counted;
}

/** Names of AWS's templates in the rows. */
export const templates = { generic: 'AWS generic template', postgresql: 'AWS PostgreSQL template' } as const;

const writes = new Set(['PutSecretValue', 'UpdateSecret', 'UpdateSecretVersionStage']);
const deploymentName = 'bench';

/** Milliseconds for one rotation. */
const patience = 20_000;

/** One function that rotates one secret. */
interface Subject {
  readonly name: string;
  readonly whose: CallRow['whose'];
  readonly functionName: string;
  /** What a person does before each rotation, and the rotation. @returns its token. */
  rotate(): Promise<string>;
}

export async function countCalls(note: (line: string) => void): Promise<CallRow[]> {
  note('Deploying a secret of every class, and AWS’s templates beside them.');
  const account = await startAccount({ compression: 60 });
  try {
    const watch = watchSteps(account);
    const subjects = [...(await theirs(account)), ...(await ours(account))];
    const rows: CallRow[] = [];
    for (const { name, whose, functionName, rotate } of subjects) {
      note(`Rotating three times: ${name}.`);
      await finished(account, await rotate());
      const warm = await watch(functionName, false, async () => finished(account, await rotate()));
      const fresh = await watch(functionName, true, async () => finished(account, await rotate()));
      rows.push({ name, whose, warm, fresh });
    }
    return rows;
  } finally {
    await account.stop();
  }
}

/** The real stack of a deployment with one secret of every class. */
async function ours(account: Account): Promise<Subject[]> {
  const secretName = (id: string) => `bench/${id}`;
  const file = {
    name: deploymentName,
    platform: 'ocore',
    secrets: Object.fromEntries(
      settings.map(({ secretClass, options, instances }) => [
        secretClass.id.replaceAll('-', '_').toUpperCase(),
        {
          class: secretClass.id,
          options,
          source: { create: { name: secretName(secretClass.id) } },
          consumers: [],
          probe: null,
          // Only the four steps are counted; the stack wants to know the instances all the same.
          ...(instances === undefined ? {} : { instances: instances.members }),
        },
      ]),
    ),
    consumers: {},
  };
  const resolved = resolveDeployment(parseDeployment(JSON.stringify(file), 'the bench’s deployment'));
  const [template = ''] = synthesise([resolved]);
  await account.deploy(template);
  const person = operatorOf(access(account));
  await closed(account);
  return Promise.all(
    settings.map(async ({ secretClass, initial }): Promise<Subject> => {
      const secretId = secretName(secretClass.id);
      await person.edit(secretId, new Sensitive(JSON.stringify(initial)));
      let round = 0;
      return {
        name: secretClass.id,
        whose: 'keyturn',
        functionName: nameOf(deploymentName, secretClass.id),
        async rotate() {
          round += 1;
          if (secretClass.supplied) {
            await person.supply(
              secretId,
              new Sensitive(JSON.stringify({ TOKEN: `supplied in round ${round}` })),
            );
          }
          if (secretClass.admission === 'guarded') {
            const until = new Date(account.clock.now() + 3_600_000).toISOString();
            await person.tag(secretId, consentTag, `${until} bench: round ${round}`);
          }
          return person.rotate(secretId);
        },
      };
    }),
  );
}

/** AWS's templates, as functions whose role may do everything with secrets. */
async function theirs(account: Account): Promise<Subject[]> {
  const define = templateFunctions(account, 'aws-templates.ts');
  const client = new SecretsManagerClient(access(account));
  return Promise.all(
    Object.entries(templates).map(async ([handler, name]): Promise<Subject> => {
      const { functionName, functionArn } = define(handler);
      const SecretId = `bench/aws-${handler}`;
      await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'the value of before' }));
      return {
        name,
        whose: 'aws',
        functionName,
        rotate: () => rotateBy(client, SecretId, functionArn),
      };
    }),
  );
}

/** RotateSecret by a function of a template. @returns its token. */
export async function rotateBy(
  client: SecretsManagerClient,
  SecretId: string,
  functionArn: string,
): Promise<string> {
  const { VersionId = '' } = await client.send(
    new RotateSecretCommand({
      SecretId,
      RotationLambdaARN: functionArn,
      RotationRules: { AutomaticallyAfterDays: 30 },
    }),
  );
  return VersionId;
}

/**
 * Deploys handlers of a file of templates, each as a function of its own.
 *
 * @param environment of each function. Default: nothing.
 */
export function templateFunctions(
  account: Account,
  file: string,
  environment: Readonly<Record<string, string>> = {},
): (handler: string) => { readonly functionName: string; readonly functionArn: string } {
  const codeDirectory = mkdtempSync(join(tmpdir(), 'keyturn-bench-templates-'));
  process.once('exit', () => rmSync(codeDirectory, { recursive: true, force: true }));
  buildSync({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    outfile: join(codeDirectory, 'index.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    // A driver of a database is CommonJS.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
  const roleArn = `arn:aws:iam::${accountId}:role/${file}`;
  account.plane.iam.defineRole(roleArn);
  const everything = { Effect: 'Allow', Action: 'secretsmanager:*', Resource: '*' };
  account.plane.iam.attach(roleArn, { Statement: [everything] }, 'the templates’ role');
  return (handler) => {
    const functionName = `aws-template-${handler}`;
    const functionArn = `arn:aws:lambda:${region}:${accountId}:function:${functionName}`;
    account.plane.functions.define({
      arn: functionArn,
      name: functionName,
      handler: `index.${handler}`,
      codeDirectory,
      environment,
      timeoutSeconds: 30,
      memoryMb: 128,
      roleArn,
    });
    account.plane.functions.permit({ functionArn, principal: 'secretsmanager.amazonaws.com' });
    return { functionName, functionArn };
  };
}

/** Notes where each step begins in the log of calls, and gives finish a container of its own when asked. */
export function watchSteps(account: Account) {
  const { functions } = account.plane;
  const invoke = functions.invoke.bind(functions);
  let begun: { readonly step: string; readonly from: number }[] = [];
  let recycles = false;
  functions.invoke = (functionArn, event) => {
    const step: unknown =
      typeof event === 'object' && event !== null ? Reflect.get(event, 'Step') : undefined;
    if (typeof step === 'string') begun.push({ step, from: account.calls.records.length });
    if (step === 'finishSecret' && recycles) functions.recycle(functionArn);
    return invoke(functionArn, event);
  };

  return async (functionName: string, fresh: boolean, rotation: () => Promise<void>): Promise<Counted> => {
    begun = [];
    recycles = fresh;
    await rotation();
    recycles = false;
    const steps = begun.map(
      ({ step, from }, index) =>
        [
          step.replace('Secret', ''),
          account.calls.records
            .slice(from, begun[index + 1]?.from)
            .filter(({ service, caller }) => service === 'secretsmanager' && caller === functionName),
        ] as const,
    );
    const all = steps.flatMap(([, records]) => records);
    return {
      calls: all.length,
      writes: all.filter(({ operation }) => writes.has(operation)).length,
      connections: new Set(all.map(({ connection }) => connection)).size,
      steps: Object.fromEntries(
        steps.map(([step, records]) => [step, records.map(({ operation }) => operation)]),
      ),
    };
  };
}

/** @throws Error when the rotation failed: a failed one has made other calls than those that are to be counted. */
export async function finished(account: Account, token: string): Promise<void> {
  const deadline = performance.now() + patience;
  for (;;) {
    const run = account.secretsManager.runs.find((one) => one.kind === 'rotation' && one.token === token);
    if (run?.status === 'succeeded' && run.attempts.length === 1) return;
    if (
      (run !== undefined && !['running', 'succeeded'].includes(run.status)) ||
      (run?.attempts.length ?? 0) > 1 ||
      performance.now() > deadline
    ) {
      const outcome = run?.attempts[0]?.steps.at(-1)?.outcome;
      const why = typeof outcome === 'object' && outcome !== null ? outcome.errorMessage : 'it took too long';
      throw new Error(`A rotation that was to be counted did not succeed at once: ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** RotateSecret is refused while Secrets Manager tests a schedule that was saved. */
export async function closed(account: Account): Promise<void> {
  while (account.secretsManager.runs.some(({ status }) => !['succeeded', 'failed'].includes(status))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function access(account: Account) {
  return {
    region,
    endpoint: account.url,
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
  };
}
