import { Agent, createServer, request } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startTraffic, type Traffic } from '../../lib/rehearsal/traffic.ts';
import { twins } from '../../lib/rehearsal/twins/catalogue.ts';
import { type Provider, startProvider } from '../../lib/rehearsal/twins/provider.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';
import { type Started, startTwin } from './twin-process.ts';

/** A balancer in front of two instances that are replaced one after the other, each drained before its end. */
interface Balancer {
  readonly url: string;
  replace(index: number, instance: Started): Promise<void>;
}

async function balanced(instances: Started[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true });
  const inFlight = new Map<Started, number>();
  const booked = (instance: Started, change: number) =>
    inFlight.set(instance, (inFlight.get(instance) ?? 0) + change);
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    turn += 1;
    const instance = instances[turn % instances.length];
    if (instance === undefined) return void outgoing.writeHead(503).end();
    booked(instance, 1);
    outgoing.on('close', () => booked(instance, -1));
    const { method = 'GET', headers } = incoming;
    const onward = request(
      new URL(incoming.url ?? '/', instance.url),
      { agent, method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, { 'content-type': 'application/json' });
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.writeHead(502).end('{}'));
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    agent.destroy();
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    async replace(index, instance) {
      const old = instances[index];
      instances[index] = instance;
      if (old === undefined) return;
      await expect.poll(() => inFlight.get(old) ?? 0, { interval: 5, timeout: 5_000 }).toBe(0);
      expect(await old.stop()).toBe(0);
    },
  };
}

async function rolled(cutover: (traffic: Traffic, roll: () => Promise<void>) => Promise<void>) {
  const provider: Provider = await startProvider();
  onTestFinished(() => provider.close());
  const exo = twins.get('exo');
  const at = { seeded: seeded(1), provider };
  const environment = exo?.consumers.backend?.environment(at, {});
  const held = Object.assign({}, ...Object.values(exo?.secrets ?? {}).map((secret) => secret.initial(at)));
  const start = (key: string) => startTwin('exo', { ...environment, ...held, EXO_JWT_SECRET: key });
  const balancer = await balanced(await Promise.all([start('the key before'), start('the key before')]));
  const traffic = startTraffic({
    url: balancer.url,
    behaviours: exo?.behaviours ?? [],
    readVariable: async () => '',
  });
  onTestFinished(() => traffic.stop());
  const tally = traffic.tally();
  const steady = async () => {
    const soFar = tally.counts().total;
    await expect
      .poll(() => tally.counts().total - soFar, { interval: 10, timeout: 5_000 })
      .toBeGreaterThan(25);
  };
  await steady();
  await cutover(traffic, async () => {
    await balancer.replace(0, await start('the key after'));
    await steady();
    await balancer.replace(1, await start('the key after'));
  });
  await steady();
  await traffic.stop();
  await tally.close();
  return tally;
}

describe('a rolling deployment of exo with another key', () => {
  it('fails no request when its cutover is declared, and ends with clients that are served', async () => {
    const tally = await rolled(async (traffic, roll) => {
      traffic.beginCutover('EXO_JWT_SECRET');
      await roll();
      traffic.endCutover('EXO_JWT_SECRET');
    });
    expect(tally.failures()).toEqual([]);
    expect(tally.counts().failed).toBe(0);
    expect(tally.counts('EXO_JWT_SECRET').refused).toBeGreaterThan(0);
    // The same key signs for the clients of the other secret.
    expect(tally.counts('EXO_CLAUDE_API_KEY').refused).toBeGreaterThan(0);
    expect(tally.counts().gapSeconds).toBeGreaterThan(0);
  });

  it('fails requests when nobody has declared it', async () => {
    const tally = await rolled((_traffic, roll) => roll());
    expect(tally.counts().failed).toBeGreaterThan(0);
    expect(tally.counts().refused).toBe(0);
    for (const sentence of tally.failures())
      expect(sentence).toContain('401 outside a cutover of EXO_JWT_SECRET');
  });
});
