import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { catalogOf, platformIds } from '../../lambdas/catalog/platforms.ts';
import { classOf } from '../../lambdas/classes/registry.ts';
import { type Deployment, parseDeployment } from '../../lambdas/contract/deployment.ts';
import { parseDocument } from '../../lambdas/contract/document.ts';
import { checkRules, Rules } from '../../lambdas/contract/format.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { resolveDeployment } from '../../lib/deployment/resolve.ts';
import { ledTo } from '../../lib/rehearsal/stage-login.ts';
import { startTraffic } from '../../lib/rehearsal/traffic.ts';
import { twins } from '../../lib/rehearsal/twins/catalogue.ts';
import { type Provider, startProvider } from '../../lib/rehearsal/twins/provider.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';
import type { Twin, TwinVariables, TwinWorld } from '../../lib/rehearsal/twins/twin.ts';
import { ask, type Started, startTwin } from './twin-process.ts';

const examples = new URL('../../lib/examples/', import.meta.url);
const platforms = [...twins].map(([platform, twin]) => ({ platform, twin }));
/** Those that one process can play; the services of the others are tested together, in a test of their own. */
const ofOneProcess = platforms.filter(({ twin }) => Object.keys(twin.consumers).length === 1);

async function world(seed = 1): Promise<TwinWorld & { provider: Provider }> {
  const provider = await startProvider();
  onTestFinished(() => provider.close());
  return { seeded: seeded(seed), provider };
}

/** A consumer of the twin with these documents, started as a task would be. */
async function started(twin: Twin, at: TwinWorld, documents: Documents): Promise<Started> {
  const [consumer, ...others] = Object.values(twin.consumers);
  if (consumer === undefined || others.length > 0) throw new Error('the twin must have one consumer');
  const fromSecrets = consumer.secrets.map(({ variable, secret, member }) => [
    variable,
    textOf(documents, secret, member),
  ]);
  return startTwin(twin.platform, { ...consumer.environment(at, {}), ...Object.fromEntries(fromSecrets) });
}

type Documents = Readonly<Record<string, TwinVariables | undefined>>;

/** A variable of a document; fails the test when there is none. */
function textOf(documents: Documents, secret: string, variable: string): string {
  const value: string | undefined = documents[secret]?.[variable];
  expect(value, `${secret}.${variable}`).toBeDefined();
  return String(value);
}

function initial(twin: Twin, at: TwinWorld): Documents {
  return Object.fromEntries(Object.entries(twin.secrets).map(([key, secret]) => [key, secret.initial(at)]));
}

describe('the twins', () => {
  it('are those of the catalog', () => {
    expect([...twins.keys()].sort()).toEqual(platformIds);
  });

  it.each(platforms)('of $platform cover its example deployments', ({ platform, twin }) => {
    // A login, or a key of stored data, may have an example of its own.
    const all = examplesOf(platform);
    expect(new Set(Object.keys(twin.consumers))).toEqual(
      new Set(all.flatMap(({ consumers }) => Object.keys(consumers))),
    );
    expect(Object.keys(twin.secrets)).toEqual(
      expect.arrayContaining(all.flatMap(({ secrets }) => Object.keys(secrets))),
    );
  });

  it.each(platforms)('of $platform start with values that their class takes', async ({ platform, twin }) => {
    const at = await world();
    for (const [key, { class: id, options }] of Object.entries(catalogOf(platform).secrets)) {
      // A catalog may know more secrets than its example deployment, which the twin plays.
      const values = twin.secrets[key]?.initial(at);
      if (values === undefined) continue;
      // A login has a test of its own.
      if (classOf(id)?.usesTarget === true) continue;
      // Most documents do not tell how their ciphertexts are laid out: that is for the deployment to say.
      const layout = (classOf(id)?.reencryption ?? null) === null ? {} : { codec: { id: 'fernet' } };
      const { variables } = classOf(id)?.bind({ ...layout, ...options }) ?? {};
      expect(variables?.()).toEqual(expect.arrayContaining(Object.keys(values)));
      const rules = Rules.parse(options.rules ?? {});
      // Beside a data key stand its number and room for another one: the rules are those of the key.
      const named = [options.variable, ...(Array.isArray(options.copies) ? options.copies : [])];
      for (const name of named) checkRules(name, new Sensitive(values[name] ?? ''), rules);
    }
  });

  it.each(platforms)('of $platform start with a login that their class reads', async ({ platform, twin }) => {
    const at = await world();
    const logins = examplesOf(platform)
      .flatMap((deployment) => resolveDeployment(deployment).secrets)
      .filter(({ engine }) => engine !== null);
    expect(logins.length).toBeGreaterThan(0);
    for (const { key, class: definition, settings } of logins) {
      const values = twin.secrets[key]?.initial(at) ?? {};
      const bound = definition.bind(settings.options);
      expect(Object.keys(values)).toEqual(expect.arrayContaining([...bound.variables()]));
      const [own] = bound.logins(parseDocument(new Sensitive(JSON.stringify(values)), key));
      const { user, password } = (await own?.login()) ?? {};
      expect({ user, password: password?.reveal() }).toEqual(ledTo(key, twin)?.login(values));
    }
  });

  it.each(platforms)('of $platform refer to secrets that they have', ({ twin }) => {
    const references = Object.values(twin.consumers).flatMap(({ secrets }) =>
      secrets.map(({ secret }) => secret),
    );
    const clients = twin.behaviours.map(({ secret }) => secret);
    for (const key of [...references, ...clients]) expect(Object.keys(twin.secrets)).toContain(key);
    // A secret without traffic of its own would show no request in the table. What never rotates needs none.
    // The clients of stored data need its database.
    const stored = withStoredData(twin);
    expect(new Set([...clients, ...stored])).toEqual(
      new Set([...rotating(twin), ...withInstances(twin), ...stored]),
    );
  });

  it.each(ofOneProcess)('of $platform serve their own traffic without a failure', async ({ twin }) => {
    const at = await world();
    const documents = initial(twin, at);
    const { url } = await started(twin, at, documents);
    const health = await ask(url, `GET ${twin.consumers.backend?.healthPath}`);
    expect(health.status).toBe(200);
    const traffic = startTraffic({
      url,
      behaviours: twin.behaviours,
      readVariable: async (secret, variable) => textOf(documents, secret, variable),
    });
    const tally = traffic.tally();
    for (const key of rotating(twin)) {
      await expect.poll(() => tally.counts(key).total, { interval: 10, timeout: 5_000 }).toBeGreaterThan(4);
    }
    await traffic.stop();
    await tally.close();
    expect(tally.failures()).toEqual([]);
    expect(tally.counts()).toMatchObject({ failed: 0, refused: 0, degraded: 0 });
  });
});

/** The secrets of the example deployment that rotate without a person's consent. */
function rotating({ platform }: Twin): string[] {
  const { secrets } = resolveDeployment(exampleOf(platform));
  return secrets.filter((secret) => secret.class.admission !== 'guarded').map(({ key }) => key);
}

function exampleOf(platform: string): Deployment {
  return deploymentIn(`${platform}.json`);
}

/** The platform's own example, and those that show one of its secrets. */
function examplesOf(platform: string): Deployment[] {
  return readdirSync(examples)
    .filter((file) => file === `${platform}.json` || file.startsWith(`${platform}-`))
    .map(deploymentIn);
}

function deploymentIn(file: string): Deployment {
  const { pathname } = new URL(file, examples);
  return parseDeployment(readFileSync(pathname, 'utf8'), pathname);
}

/** Guarded ones whose instances call the platform. */
function withInstances(twin: Twin): string[] {
  const { secrets } = catalogOf(twin.platform);
  return Object.keys(twin.secrets).filter((key) => secrets[key]?.class === 'instance-token-key');
}

/** Keys of stored data. */
function withStoredData(twin: Twin): string[] {
  const { secrets } = catalogOf(twin.platform);
  return Object.keys(twin.secrets).filter(
    (key) => (classOf(secrets[key]?.class ?? '')?.reencryption ?? null) !== null,
  );
}

describe('the values of a run', () => {
  it('are the same for the same seed, and others for another', async () => {
    const { provider } = await world();
    for (const { twin } of platforms) {
      const first = initial(twin, { seeded: seeded(1), provider });
      expect(initial(twin, { seeded: seeded(1), provider })).toEqual(first);
      const other = initial(twin, { seeded: seeded(2), provider });
      for (const key of Object.keys(first)) expect(other[key]).not.toEqual(first[key]);
    }
  });

  it('are of the length that was asked for, and different for each name', () => {
    const values = seeded(1);
    expect(values.bytes('a', 100)).toHaveLength(100);
    expect(values.bytes('a', 5)).toHaveLength(5);
    expect(values.bytes('a', 100).subarray(0, 32)).not.toEqual(values.bytes('a', 100).subarray(32, 64));
    expect(values.bytes('a', 32)).not.toEqual(values.bytes('b', 32));
  });
});

describe('a supplied key of exo', () => {
  it('lives beside the earlier one until a person revokes that', async () => {
    const at = await world();
    const secret = twins.get('exo')?.secrets.EXO_CLAUDE_API_KEY;
    const before = secret?.initial(at) ?? {};
    const after = secret?.supplied?.supply(at, 1) ?? {};
    expect(after).not.toEqual(before);
    const probe = async (values: TwinVariables) => {
      const key = Buffer.from(textOf({ values }, 'values', 'EXO_CLAUDE_API_KEY'), 'base64').toString('utf8');
      const headers = { 'x-api-key': key, connection: 'close' };
      return (await fetch(secret?.probeUrl(at) ?? '', { headers })).status;
    };
    expect([await probe(before), await probe(after)]).toEqual([200, 200]);
    secret?.supplied?.revoke(at, before);
    secret?.supplied?.revoke(at, before);
    expect([await probe(before), await probe(after)]).toEqual([401, 200]);
  });
});

describe('the monitoring of ocore', () => {
  it('counts minimal answers as degraded, not failed, and recovers by reading the secret again', async () => {
    const at = await world();
    const twin = twins.get('ocore');
    if (twin === undefined) throw new Error('ocore has no twin');
    const documents = initial(twin, at);
    const { url } = await started(twin, at, documents);
    let current = 'the token before';
    let reads = 0;
    const traffic = startTraffic({
      url,
      behaviours: twin.behaviours.filter(({ name }) => name === 'monitoring'),
      async readVariable() {
        reads += 1;
        if (reads === 2) throw new Error('ThrottlingException');
        return current;
      },
    });
    onTestFinished(() => traffic.stop());
    const tally = traffic.tally();
    const counts = () => tally.counts('HEALTH_CHECK_TOKEN');
    await expect.poll(() => counts().degraded, { interval: 10, timeout: 5_000 }).toBeGreaterThan(2);
    current = textOf(documents, 'HEALTH_CHECK_TOKEN', 'HEALTH_CHECK_TOKEN');
    await expect.poll(() => counts().gapSeconds, { interval: 10, timeout: 5_000 }).toBeGreaterThan(0.2);
    const { degraded } = counts();
    const readsSoFar = reads;
    const soFar = counts().total;
    await expect.poll(() => counts().total - soFar, { interval: 10, timeout: 5_000 }).toBeGreaterThan(2);
    expect(counts()).toMatchObject({ failed: 0, degraded });
    expect(reads).toBe(readsSoFar);
  });
});
