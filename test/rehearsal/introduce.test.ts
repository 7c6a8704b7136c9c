/** What the phase introduce is for, seen on Tessallite's five services, which restart one after another under traffic. */
import { expect, it, onTestFinished } from 'vitest';
import { type Behaviour, loggedIn, type Token, textAt } from '../../lib/rehearsal/behaviour.ts';
import { startTraffic } from '../../lib/rehearsal/traffic.ts';
import { connectionId, tessallite } from '../../lib/rehearsal/twins/tessallite.ts';
import { rotateTwin } from './rotation-of-twin.ts';
import { storedPlatforms } from './stored-world.ts';

const platform = storedPlatforms();
const key = 'CREDENTIAL_ENCRYPTION_KEY';
const services = Object.keys(tessallite.consumers);

/** A connection that no other client of the twin writes. */
const connection = connectionId(7);
const uses = [
  ['gateway', `/xmla/${connection}`],
  ['query-router', `/queries/${connection}`],
  ['optimizer', `/jobs/profile/${connection}`],
  ['scheduler', `/jobs/refresh/${connection}`],
] as const;
const readers = uses.map(([service]) => service);

/** A client that has a credential stored, and at once used by every other service; over and over. */
function colleague() {
  const seen = { rounds: 0, failed: new Set<string>() };
  const behaviour: Behaviour = {
    name: 'colleagues',
    secret: key,
    clients: 1,
    pause: 1,
    client(session) {
      const login = {
        path: '/api/v1/auth/login',
        body: { email: 'user@example.com', password: 'any' },
        member: 'access_token',
      };
      let token: Token | null = null;
      return async () => {
        token ??= await loggedIn(session, login, 'JWT_SECRET_KEY');
        if (token === null) return;
        const held = { bearer: token.value, token };
        const path = `/api/v1/project-connections/${connection}`;
        const body = { value: `changed for the ${seen.rounds}th time` };
        const written = await session.send({ method: 'POST', path, body, ...held }, () => true);
        if (written.kind !== 'served') return;
        for (const [at, use] of uses) {
          const request = { method: 'POST', at, path: use, ...held } as const;
          const read = await session.send(request, (answer) => textAt(answer, 'digest'));
          if (read.kind === 'failed') seen.failed.add(at);
        }
        seen.rounds += 1;
      };
    },
  };
  return { seen, behaviour };
}

async function rotated(introduce: boolean) {
  const at = await platform(tessallite);
  await Promise.all(services.map((service) => at.start(service)));
  const { seen, behaviour } = colleague();
  // Its readers also go through the gateway to the query router, which answers 500 while that one restarts.
  const writers = at.stored.behaviours.filter(({ name }) => name.startsWith('people'));
  expect(writers).toHaveLength(1);
  const traffic = startTraffic({
    url: at.urls[services[0] ?? ''] ?? '',
    urls: at.urls,
    behaviours: [...writers, behaviour],
    readVariable: async (_secret, variable) => at.initial[variable] ?? '',
  });
  onTestFinished(() => traffic.stop());
  const tally = traffic.tally();
  // The round under way may have begun with a write from before: the one after it has not.
  const wholeRound = () => {
    const { rounds } = seen;
    return expect.poll(() => seen.rounds, { interval: 5, timeout: 20_000 }).toBeGreaterThan(rounds + 1);
  };
  const state = await rotateTwin({
    at,
    platform: 'tessallite',
    key,
    options: { introduce },
    // By then the data is under the new key, and every service has it.
    last: 'reencrypt',
    async restart(service, variables) {
      // However busy the machine is: what the services restarted so far write is read by those that have not.
      await wholeRound();
      // The process's own restart is not what is looked at; on AWS the former task serves until the new one does.
      traffic.beginStop();
      await at.start(service, variables);
      traffic.endStop();
    },
  });
  await wholeRound();
  await traffic.stop();
  await tally.close();
  return { at, state, tally, failed: [...seen.failed] };
}

it('with it, each service reads at every moment what any other has written', {
  timeout: 90_000,
}, async () => {
  const { at, state, tally, failed } = await rotated(true);
  expect(tally.failures()).toEqual([]);
  expect(tally.counts().failed).toBe(0);
  expect(failed).toEqual([]);
  expect(state.reencryption).toMatchObject({ finished: true });
  expect(await at.stored.lost(at.urls)).toEqual([]);
});

it('without it, reads fail in each service that has not restarted yet', { timeout: 90_000 }, async () => {
  const { at, state, tally, failed } = await rotated(false);
  expect(new Set(failed)).toEqual(new Set(readers));
  expect(tally.counts().failed).toBeGreaterThan(0);
  for (const sentence of tally.failures()) expect(sentence).toMatch(/ answered 500\.$/);
  // Nothing was lost by it: it could not be read for a while.
  expect(state.reencryption).toMatchObject({ finished: true });
  expect(await at.stored.lost(at.urls)).toEqual([]);
});
