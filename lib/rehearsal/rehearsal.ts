/**
 * One rehearsal: stacks synthesised and loaded, platforms started, traffic kept on them, every secret put
 * through its scenarios, and what was seen judged.
 */
import { type Operator, operator as operatorOf } from '../../lambdas/adapters/aws/operator.ts';
import { rolloutsOf } from '../../lambdas/adapters/aws/rollouts.ts';
import { http } from '../../lambdas/adapters/http.ts';
import { clock } from '../../lambdas/adapters/platform.ts';
import type { Deployment } from '../../lambdas/contract/deployment.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import type { ResolvedSecret } from '../deployment/resolve.ts';
import type { Stage } from './acts.ts';
import { refuseBadFiles } from './bad-files.ts';
import type { AccountClient } from './endpoint/account-client.ts';
import { freePort } from './endpoint/free-port.ts';
import { account, region } from './endpoint/wire.ts';
import { type Played, play } from './play.ts';
import type { Progress } from './progress.ts';
import type { Report } from './report.ts';
import { judge } from './rules.ts';
import type { RunServers } from './run-server.ts';
import { startRunServers } from './run-servers.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { scheduled } from './scheduled.ts';
import { type StagedDeployment, type StagedSecret, stageDeployment } from './stage-deployment.ts';
import { synthesise } from './synthesise.ts';
import { startTraffic, type Traffic } from './traffic.ts';
import { twins } from './twins/catalogue.ts';
import { startProvider } from './twins/provider.ts';
import { type Seeded, seeded } from './twins/seeded.ts';
import type { TwinVariables } from './twins/twin.ts';

export interface Chosen {
  readonly deployment: Deployment;
  /** Keys of the secrets to rehearse. */
  readonly keys: readonly string[];
}

export interface Rehearsal {
  readonly chosen: readonly Chosen[];
  readonly seed: number;
  readonly client: AccountClient;
  readonly progress: Progress;
}

/** What a person works with. */
type Person = Pick<Stage, 'operator' | 'rollouts'> & { readonly servers: RunServers };

/** One platform as it runs. */
export interface Running {
  readonly deployment: StagedDeployment;
  readonly traffic: Traffic;
  readonly stages: readonly Stage[];
}

const none = { tried: 0, refused: 0 };

/** @throws KeyturnError DeploymentInvalid before anything has run. */
export async function rehearse({ chosen, seed, client, progress }: Rehearsal): Promise<Report> {
  const began = performance.now();
  const values = seeded(seed);
  const badFiles = chosen
    .map(({ deployment }) => refuseBadFiles(deployment))
    .reduce((sum, one) => ({ tried: sum.tried + one.tried, refused: sum.refused + one.refused }), none);
  const provider = await startProvider();
  const running: Running[] = [];
  const runServers = await startRunServers(chosen);
  const { servers } = runServers;
  try {
    const world = { seeded: values, provider };
    const staging = {
      servers,
      twins,
      freePort,
      firstValue: firstValueFrom(values),
      nextValue: (secret: ResolvedSecret, round: number) => typed(secret, values, `value ${round} of`),
    };
    const staged: StagedDeployment[] = [];
    for (const one of chosen) {
      const here = { ...staging, world: { ...world, ...runServers.worldOf(one) } };
      staged.push(await stageDeployment(one.deployment, one.keys, here));
    }
    for (const login of staged.flatMap(({ logins }) => logins)) {
      await servers[login.engine]?.prepareLogin(login);
    }
    progress.note('Synthesising the stacks.');
    const templates = synthesise(staged.map(({ resolved }) => resolved));
    const access = {
      region,
      endpoint: client.url,
      credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
    };
    const person: Person = { operator: operatorOf(access), rollouts: rolloutsOf(access), servers };
    for (const [index, deployment] of staged.entries()) {
      await createImported(deployment, person.operator);
      progress.note(`Deploying keyturn-${deployment.resolved.name}.`);
      await client.deploy(templates[index] ?? '');
    }
    progress.note(
      'Secrets Manager tests each schedule that was saved: testSecret alone, on what is current.',
    );
    await preflightsOver(client);
    const rotationsAfterDeploy = (await client.rotations()).filter(({ kind }) => kind === 'rotation').length;
    for (const deployment of staged) running.push(await start(deployment, client, person, progress));

    const played: Played[] = [];
    for (const platform of running) played.push(...(await playAll(platform, progress)));
    played.push(...(await scheduled(running, client, progress, { http, clock })));

    const serverLogs = await runServers.search(client);
    const { leaks, watched } = await client.leaks();
    const rules = judge({ played, rotationsAfterDeploy, leaks, watched, serverLogs, badFiles });
    const secrets = played.map(({ row }) => row);
    return { seed, seconds: seconds(began), secrets, rules, notes: transitionNotes(played) };
  } finally {
    await Promise.allSettled(running.map(({ traffic }) => traffic.stop()));
    await provider.close();
    await runServers.stop();
  }
}

/** RotateSecret is refused while a test run goes on. @throws Error that names a secret whose test failed. */
async function preflightsOver(client: AccountClient): Promise<void> {
  for (;;) {
    const tests = (await client.rotations()).filter(({ kind }) => kind === 'test');
    const failed = tests.find(({ status }) => status === 'failed');
    if (failed !== undefined) {
      const outcome = failed.attempts.at(-1)?.steps.at(-1)?.outcome;
      const why = typeof outcome === 'object' && outcome !== null ? outcome.errorMessage : failed.status;
      throw new Error(`The test of ${failed.secretArn} failed when its schedule was saved: ${why}`);
    }
    if (tests.every(({ status }) => status === 'succeeded')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How many state transitions a rollout with one redeploy takes: accounts have 500 a second in most Regions. */
function transitionNotes(played: readonly Played[]): string[] {
  const counts = played.flatMap(({ row, transitions }) =>
    row.scenario === 'rotate' && transitions !== null ? [transitions] : [],
  );
  return counts.length === 0
    ? []
    : [
        `A rollout with one redeploy took at most ${Math.max(...counts)} state transitions, retries included (budget: 20).`,
      ];
}

/** Each secret's scenarios, in the table's order; those that are played once go to the first that they fit. */
async function playAll({ stages, traffic }: Running, progress: Progress): Promise<Played[]> {
  const done = new Set<Scenario>();
  const played: Played[] = [];
  for (const stage of stages) {
    for (const scenario of scenarios) {
      const others = stage.others.map(({ secret }) => secret);
      if (!scenario.fits(stage.secret, others) || (scenario.once && done.has(scenario))) continue;
      done.add(scenario);
      const one = await play(scenario, { stage, traffic, progress, ports: { http, clock } });
      played.push(one);
      // What comes after a rotation that went wrong would go wrong for the same reason, and take its time.
      if (one.row.outcome !== one.row.expected) break;
    }
  }
  return played;
}

/** Puts the first values in, as the people did who ran the platform before, and starts the platform. */
async function start(
  deployment: StagedDeployment,
  client: AccountClient,
  { operator: person, rollouts, servers }: Person,
  progress: Progress,
): Promise<Running> {
  const stages: Stage[] = [];
  for (const secret of deployment.secrets) {
    const secretId = nameOfSecret(secret);
    const { engine } = secret.resolved;
    if (!secret.imported) await person.edit(secretId, documentOf(secret.initial));
    const [nextRound, nextConsent] = [counter(), counter()];
    const own = {
      client,
      operator: person,
      rollouts,
      server: engine === null ? null : (servers[engine] ?? null),
      deployment,
      secret,
      secretId,
      nextRound,
      nextConsent,
    };
    stages.push({
      ...own,
      get others() {
        return stages.filter((other) => other.secretId !== secretId);
      },
    });
  }
  progress.note(`Starting ${deployment.resolved.title}, with traffic on it.`);
  await deployment.stored?.prepare();
  for (const consumer of [...deployment.companions, ...deployment.consumers]) {
    const arnOf = (key: string) =>
      `arn:aws:secretsmanager:${region}:${account}:secret:${nameOfSecret(deployment.secrets.find(({ resolved }) => resolved.key === key))}`;
    await client.defineService({
      cluster: consumer.cluster,
      service: consumer.service,
      desiredCount: consumer.instances,
      command: consumer.command,
      cwd: consumer.cwd,
      environment: consumer.environment,
      secrets: Object.fromEntries(
        consumer.secrets.map(({ variable, secret, member }) => [variable, `${arnOf(secret)}:${member}::`]),
      ),
      healthPath: consumer.healthPath,
      port: consumer.port,
    });
  }
  const traffic = startTraffic({
    url: deployment.url,
    urls: deployment.urls,
    behaviours: deployment.behaviours,
    readVariable: async (key, variable) => {
      const stage = stages.find(({ secret }) => secret.resolved.key === key);
      const { value } = await person.read(stage?.secretId ?? key, 'AWSCURRENT');
      return String(Reflect.get(JSON.parse(value.reveal()), variable));
    },
  });
  return { deployment, traffic, stages };
}

function counter(): () => number {
  let count = 0;
  return () => {
    count += 1;
    return count;
  };
}

/** An imported secret, and one that a hook reads, is there before the stack that imports it. */
async function createImported(deployment: StagedDeployment, person: Operator): Promise<void> {
  for (const [name, variables] of deployment.credentials) await person.create(name, documentOf(variables));
  for (const secret of deployment.secrets) {
    if (secret.imported) await person.create(nameOfSecret(secret), documentOf(secret.initial));
  }
}

function nameOfSecret(secret: StagedSecret | undefined): string {
  return secret?.resolved.settings.id ?? '';
}

function documentOf(variables: TwinVariables): Sensitive {
  return new Sensitive(JSON.stringify(variables));
}

/** A first value for a secret that no twin knows: the class makes it, or something that a person might type. */
function firstValueFrom(values: Seeded): (secret: ResolvedSecret) => Promise<TwinVariables> {
  return async (secret) => {
    const bound = secret.class.bind(secret.settings.options);
    const random = { bytes: (count: number) => values.bytes(`first value of ${secret.key}`, count) };
    if (!bound.supplied)
      return Object.fromEntries(await bound.create({ current: null, supplied: null, random }));
    return typed(secret, values, 'first value of');
  };
}

/** Something that a person might type. */
function typed(secret: ResolvedSecret, values: Seeded, which: string): TwinVariables {
  const text = values.bytes(`${which} ${secret.key}`, 24).toString('base64');
  const variables = secret.class.bind(secret.settings.options).variables();
  return Object.fromEntries(variables.map((name) => [name, text]));
}

function seconds(began: number): number {
  return Math.round((performance.now() - began) / 100) / 10;
}
