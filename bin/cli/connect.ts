/** From flags and environment to a deployment and the ports of AWS. */
import type { OperatorAccess } from '../../lambdas/adapters/aws/operator.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ConnectedReencryptKind } from '../../lambdas/contract/reencryption.ts';
import { readDeployments } from '../../lib/deployment/read.ts';
import type { ResolvedDeployment } from '../../lib/deployment/resolve.ts';
import type { Context, Given } from './command.ts';
import type { Terminal } from './terminal.ts';

type Environment = Terminal['environment'];

/** What a local endpoint asks for: some Region, and some key that it writes into its log. */
const local = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
} as const;

/** Milliseconds between two looks: gentle to an account's limits, and quick on one's own machine. */
const pauses = { aws: 2_000, local: 150 } as const;

export function deploymentOf(given: Given, environment: Environment): ResolvedDeployment {
  const file = given.text('deployment') ?? environment.KEYTURN_DEPLOYMENT ?? '';
  if (file === '') {
    throw usage(
      'A deployment file must be named.',
      'Give it with --deployment FILE, or in the variable KEYTURN_DEPLOYMENT.',
    );
  }
  const [deployment] = readDeployments([file]);
  if (deployment === undefined) throw usage(`${file} holds no deployment.`, 'See lib/examples.');
  return deployment;
}

/** @throws KeyturnError UsageInvalid for an endpoint that is no address. */
export async function connect(
  given: Given,
  environment: Environment,
): Promise<Pick<Context, 'ports' | 'data' | 'functions' | 'pause'>> {
  const endpoint = given.text('endpoint');
  const region = given.text('region');
  const loopback = endpoint !== null && isLoopback(endpoint);
  const access = {
    ...(loopback && regionOf(environment) === undefined ? { region: local.region } : {}),
    ...(loopback && !hasCredentials(environment) ? { credentials: local.credentials } : {}),
    ...(region === null ? {} : { region }),
    ...(endpoint === null ? {} : { endpoint }),
  };
  // The SDK is loaded for commands that call AWS, not for help and refused flags.
  const [{ operatorPorts }, { http }, { clock }] = await Promise.all([
    import('../../lambdas/adapters/aws/operations.ts'),
    import('../../lambdas/adapters/http.ts'),
    import('../../lambdas/adapters/platform.ts'),
  ]);
  return {
    ports: { ...operatorPorts(access), probe: { http, clock } },
    data: (kinds) => dataPorts(kinds, access),
    functions: async () =>
      (await import('../../lambdas/adapters/aws/functions.ts')).operatorFunctions(access),
    pause: loopback ? pauses.local : pauses.aws,
  };
}

/** A hook's API and driver are loaded where it is used. */
const adapters: Readonly<Record<string, () => Promise<{ connected(): ConnectedReencryptKind }>>> = {
  postgres: () => import('../../lambdas/adapters/reencrypt/postgres.ts'),
  http: () => import('../../lambdas/adapters/reencrypt/http.ts'),
  lambda: () => import('../../lambdas/adapters/reencrypt/lambda.ts'),
  'ecs-task': () => import('../../lambdas/adapters/reencrypt/ecs-task.ts'),
};

async function dataPorts(kinds: readonly string[], access: OperatorAccess): ReturnType<Context['data']> {
  const { credentialsOf } = await import('../../lambdas/adapters/aws/credentials.ts');
  const connected = await Promise.all(
    kinds.map(async (kind) => (await adapters[kind]?.())?.connected() ?? []),
  );
  return {
    kinds: new Map(connected.flat().map((one) => [one.kind, one])),
    credential: credentialsOf(access),
  };
}

function isLoopback(endpoint: string): boolean {
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw usage('--endpoint must be an http or https address.', 'For example http://127.0.0.1:9300.');
  }
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(endpoint).hostname);
}

function regionOf(environment: Environment): string | undefined {
  return environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION;
}

function hasCredentials(environment: Environment): boolean {
  return environment.AWS_ACCESS_KEY_ID !== undefined || environment.AWS_PROFILE !== undefined;
}

function usage(message: string, hint: string): KeyturnError {
  return new KeyturnError({ code: 'UsageInvalid', message, hint });
}
