import { describe, expect, it, onTestFinished } from 'vitest';
import { type Behaviour, tokenClient } from '../../lib/rehearsal/behaviour.ts';
import { startTraffic, type Traffic } from '../../lib/rehearsal/traffic.ts';
import { startTinyPlatform, type TinyPlatform } from './tiny-platform.ts';

const users = tokenClient({
  name: 'users',
  secret: 'KEY',
  signedBy: 'KEY',
  clients: 2,
  pause: 5,
  login: { path: '/login', body: {}, member: 'token' },
  call: { method: 'GET', path: '/me' },
});

function traffic(url: string, behaviours: readonly Behaviour[] = [users], deadline = 2_000): Traffic {
  const started = startTraffic({ url, behaviours, deadline, readVariable: async () => 'current' });
  onTestFinished(() => started.stop());
  return started;
}

/** Waits until the platform has seen that many more requests. */
async function more(platform: TinyPlatform, requests: number): Promise<void> {
  const enough = platform.requests + requests;
  await expect.poll(() => platform.requests >= enough, { interval: 2, timeout: 5_000 }).toBe(true);
}

/** Waits until each of the two clients has used a token of this key. */
async function renewed(platform: TinyPlatform, key: string): Promise<void> {
  const users = () => [...platform.used].filter((token) => token.startsWith(`${key}-`)).length;
  await expect.poll(users, { interval: 2, timeout: 10_000 }).toBe(2);
}

describe('traffic on a platform that works', () => {
  it('has no failed request, and no more in work than it has clients', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    const tally = running.tally();
    await more(platform, 40);
    await running.stop();
    await tally.close();
    expect(tally.counts()).toEqual({
      total: platform.requests,
      failed: 0,
      refused: 0,
      degraded: 0,
      gapSeconds: 0,
    });
    expect(platform.busiest).toBeLessThanOrEqual(2);
  });
});

describe('a failed request', () => {
  it('is each 5xx, in a cutover too', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    await more(platform, 6);
    running.beginCutover('KEY');
    const tally = running.tally();
    platform.fail(503, 3);
    await more(platform, 20);
    await tally.close();
    expect(tally.counts()).toMatchObject({ failed: 3, refused: 0 });
    expect(tally.failures()[0]).toBe('users: GET /me answered 503.');
  });

  it('is each connection without an answer', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    await more(platform, 6);
    running.beginCutover('KEY');
    const tally = running.tally();
    platform.cut = true;
    await expect.poll(() => tally.counts().failed, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
    platform.cut = false;
    await more(platform, 4);
    await tally.close();
    expect(tally.failures()[0]).toMatch(/^users: (GET \/me|POST \/login) got no answer \(ECONNRESET\)\.$/);
  });

  it('is each request to a platform that is gone', async () => {
    const platform = await startTinyPlatform();
    await platform.close();
    const running = traffic(platform.url);
    const tally = running.tally();
    await expect.poll(() => tally.counts().failed, { interval: 5, timeout: 5_000 }).toBeGreaterThan(2);
    expect(tally.failures()[0]).toBe('users: POST /login got no answer (ECONNREFUSED).');
  });

  it('is an answer that comes too late', async () => {
    const platform = await startTinyPlatform();
    const release = platform.hold();
    const running = traffic(platform.url, [users], 50);
    const tally = running.tally();
    await expect.poll(() => tally.counts().failed, { interval: 5, timeout: 5_000 }).toBeGreaterThan(0);
    release();
    expect(tally.failures()[0]).toMatch(/^users: GET \/me got no answer \((ABORT_ERR|23)\)\.$/);
  });

  it('is a 200 with a body that cannot be read', async () => {
    const platform = await startTinyPlatform();
    platform.garbled = true;
    const running = traffic(platform.url);
    const tally = running.tally();
    await more(platform, 6);
    expect(tally.failures()[0]).toBe('users: GET /me answered 200 with a body that cannot be read.');
  });

  it('is a 401 that no cutover explains', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    await renewed(platform, 'one');
    const tally = running.tally();
    await more(platform, 6);
    running.beginCutover('ANOTHER_KEY');
    platform.key = 'two';
    await renewed(platform, 'two');
    await tally.close();
    // Each of the two clients meets the new key once, then logs in again.
    expect(tally.counts()).toMatchObject({ failed: 2, refused: 0 });
    expect(tally.failures()).toEqual(Array(2).fill('users: GET /me answered 401 outside a cutover of KEY.'));
  });

  it('is a 401 of a token that was issued after the cutover', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    running.beginCutover('KEY');
    platform.key = 'two';
    await renewed(platform, 'two');
    running.endCutover('KEY');
    const tally = running.tally();
    // What is in flight now is not counted.
    await more(platform, 10);
    platform.key = 'three';
    await renewed(platform, 'three');
    await tally.close();
    expect(tally.counts()).toMatchObject({ failed: 2, refused: 0 });
  });
});

describe('a declared cutover', () => {
  it('explains the refusals in its window, and the gap of a client is measured', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    await renewed(platform, 'one');
    const tally = running.tally();
    await more(platform, 6);
    running.beginCutover('KEY');
    platform.key = 'two';
    await expect.poll(() => tally.counts().refused, { timeout: 10_000 }).toBe(2);
    await more(platform, 8);
    running.endCutover('KEY');
    await more(platform, 4);
    await tally.close();
    expect(tally.counts()).toMatchObject({ failed: 0, refused: 2 });
    expect(tally.counts('KEY').gapSeconds).toBeGreaterThan(0);
    expect(tally.counts('KEY').gapSeconds).toBeLessThan(2);
    expect(tally.failures()).toEqual([]);
  });

  it('explains the first use after its end of a token from before', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    await more(platform, 6);
    const tally = running.tally();
    // All three at once: no request comes in between.
    running.beginCutover('KEY');
    platform.key = 'two';
    running.endCutover('KEY');
    await expect.poll(() => tally.counts().refused, { timeout: 10_000 }).toBeGreaterThan(0);
    await more(platform, 8);
    await tally.close();
    const { failed, refused } = tally.counts();
    // One of the two may have been about to log in: it has a new token.
    expect(refused).toBeLessThanOrEqual(2);
    expect(failed).toBe(0);
  });
});

describe('a tally', () => {
  it('keeps the secrets apart', async () => {
    const platform = await startTinyPlatform();
    const others = { ...users, name: 'others', secret: 'OTHER', clients: 1 };
    const running = traffic(platform.url, [users, others]);
    const tally = running.tally();
    await more(platform, 30);
    await tally.close();
    const [mine, other] = [tally.counts('KEY').total, tally.counts('OTHER').total];
    expect(other).toBeGreaterThan(0);
    expect(mine).toBeGreaterThan(other);
    expect(tally.counts().total).toBe(mine + other);
    expect(tally.counts('UNKNOWN').total).toBe(0);
  });

  it('counts a request that was sent while it was open, and none that was sent later', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url, [{ ...users, clients: 1 }]);
    await more(platform, 4);
    const release = platform.hold();
    const tally = running.tally();
    await more(platform, 1);
    platform.fail(500, 1);
    const closed = tally.close();
    release();
    await closed;
    expect(tally.counts()).toMatchObject({ total: 1, failed: 1 });
    await more(platform, 10);
    expect(tally.counts().total).toBe(1);
  });
});

describe('stopping', () => {
  it('waits for the requests in flight, then sends nothing', async () => {
    const platform = await startTinyPlatform();
    const running = traffic(platform.url);
    await more(platform, 4);
    const tally = running.tally();
    const release = platform.hold();
    await more(platform, 2);
    let stopped = false;
    const stopping = running.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(stopped).toBe(false);
    release();
    await stopping;
    expect(tally.counts().failed).toBe(0);
    const seen = platform.requests;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(platform.requests).toBe(seen);
  });
});

describe('a behaviour that breaks', () => {
  it('is counted as failed and does not end the traffic', async () => {
    const platform = await startTinyPlatform();
    const broken: Behaviour = {
      name: 'broken',
      secret: 'BROKEN',
      clients: 1,
      pause: 5,
      client: () => async () => {
        throw new TypeError('with a value in it');
      },
    };
    const running = traffic(platform.url, [broken, users]);
    const tally = running.tally();
    await more(platform, 10);
    expect(tally.counts('BROKEN').failed).toBeGreaterThan(0);
    expect(tally.counts('KEY').failed).toBe(0);
    expect(tally.failures()[0]).toBe('broken: the client itself failed (TypeError).');
  });
});
