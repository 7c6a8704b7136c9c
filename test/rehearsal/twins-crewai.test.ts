/** The services of CrewAI's stand-in side by side: tokens of deployed automations, and what a new key does to them. */
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../lib/rehearsal/endpoint/free-port.ts';
import { startTraffic } from '../../lib/rehearsal/traffic.ts';
import { twins } from '../../lib/rehearsal/twins/catalogue.ts';
import { ask, type Started, startTwin } from './twin-process.ts';

const key = (name: string) => `${name}-of-at-least-thirty-two-characters`;
const apiToken = 'an-api-token-of-the-platform';
const hour = 3_600;

interface Platform {
  readonly urls: Readonly<Record<string, string>>;
  readonly started: Readonly<Record<string, Started>>;
  /** Restarts a service with another value of a variable. */
  restart(service: string, variables: Readonly<Record<string, string>>): Promise<void>;
  api(route: string): ReturnType<typeof ask>;
}

async function platform(automations = '12'): Promise<Platform> {
  const services = ['automations', 'web', 'worker', 'collector', 'analytics', 'integrations'];
  const ports = new Map<string, string>();
  for (const service of services) ports.set(service, String(await freePort()));
  const urls = Object.fromEntries([...ports].map(([name, port]) => [name, `http://127.0.0.1:${port}`]));
  const shared = {
    DEPLOYMENT_INSTANCE_JWT_SECRET: key('instance'),
    AUTOMATIONS_URL: urls.automations ?? '',
    AUTOMATIONS: automations,
    WEB_URL: urls.web ?? '',
    INTEGRATIONS_URL: urls.integrations ?? '',
    SECRET_KEY_BASE: key('base'),
    WHARF_JWT_SECRET: key('wharf'),
    CUBE_JWT_SECRET: key('cube'),
    OAUTH_INTERNAL_API_KEY: key('oauth'),
    CREWAI_OAUTH_API_KEY: key('oauth'),
    FACTORY_DEBUG_TOKEN: key('debug'),
    PLATFORM_API_TOKEN: apiToken,
  };
  const started: Record<string, Started> = {};
  const start = async (service: string, variables: Readonly<Record<string, string>> = {}) => {
    const PORT = ports.get(service) ?? '';
    started[service] = await startTwin(`crewai-${service}`, { ...shared, ...variables, PORT });
  };
  for (const service of services) await start(service);
  return {
    urls,
    started,
    async restart(service, variables) {
      await started[service]?.stop();
      await start(service, variables);
    },
    api: (route) => ask(urls.web ?? '', route, { bearer: apiToken }),
  };
}

const instance = (at: Platform, route: string) => ask(at.urls.automations ?? '', route);

async function tokenOf(at: Platform, id: string): Promise<string> {
  const { body } = await instance(at, `POST /instances/${id}/present`);
  return String(body.refresh_token);
}

describe('a platform of CrewAI', () => {
  it('serves its own traffic without a failure', async () => {
    const at = await platform('500');
    const twin = twins.get('crewai');
    if (twin === undefined) throw new Error('there is no twin of crewai');
    const traffic = startTraffic({
      url: at.urls.web ?? '',
      urls: at.urls,
      behaviours: twin.behaviours,
      readVariable: async () => key('debug'),
    });
    const tally = traffic.tally();
    for (const secret of new Set(twin.behaviours.map((behaviour) => behaviour.secret))) {
      await expect.poll(() => tally.counts(secret).total, { timeout: 5_000 }).toBeGreaterThan(3);
    }
    await traffic.stop();
    await tally.close();
    expect(tally.failures()).toEqual([]);
    expect(tally.counts()).toMatchObject({ failed: 0, refused: 0, degraded: 0 });
  });

  it('lists its automations by pages, for callers with its token only', async () => {
    const at = await platform();
    const page = await at.api('GET /api/v1/automations?per_page=10&page=2');
    // Twelve that are active, and one that was archived.
    expect(page.body.automations).toEqual([
      { id: 'automation-011', state: 'active' },
      { id: 'automation-012', state: 'active' },
      { id: 'automation-013', state: 'archived' },
    ]);
    expect((await at.api('GET /api/v1/automations?page=2')).body.automations).toEqual([]);
    expect((await ask(at.urls.web ?? '', 'GET /api/v1/automations')).status).toBe(401);
  });

  it('gives refresh tokens of a year and access tokens of a day', async () => {
    const at = await platform();
    const refresh = await tokenOf(at, 'automation-001');
    const { iat = 0, exp = 0 } = decodeJwt(refresh);
    expect(exp - iat).toBe(365 * 24 * hour);
    const { body } = await ask(at.urls.web ?? '', 'POST /internal_api/v1/refresh', { bearer: refresh });
    const access = decodeJwt(String(body.access_token));
    expect((access.exp ?? 0) - (access.iat ?? 0)).toBe(24 * hour);
  });

  it('with a new key refuses every token handed out, until the automation is redeployed', async () => {
    const at = await platform();
    const id = 'automation-001';
    expect((await instance(at, `POST /instances/${id}/refresh`)).body).toEqual({ refreshed: true });
    await at.restart('web', { DEPLOYMENT_INSTANCE_JWT_SECRET: key('another') });
    expect((await instance(at, `POST /instances/${id}/refresh`)).status).toBe(401);
    expect((await at.api(`GET /api/v1/automations/${id}/token`)).status).toBe(409);
    expect((await at.api(`POST /api/v1/automations/${id}/redeploy`)).status).toBe(202);
    await expect.poll(async () => (await at.api(`GET /api/v1/automations/${id}/token`)).status).toBe(200);
    expect((await instance(at, `POST /instances/${id}/refresh`)).body).toEqual({ refreshed: true });
  });

  it('mints anew, in its daily job, only what ends within 48 hours', async () => {
    const at = await platform();
    const before = await Promise.all(['automation-010', 'automation-011'].map((id) => tokenOf(at, id)));
    const job = await ask(at.urls.worker ?? '', 'POST /jobs/scan-expiring-deployment-tokens');
    expect(job.body).toEqual({ reminted: ['automation-011'] });
    const after = await Promise.all(['automation-010', 'automation-011'].map((id) => tokenOf(at, id)));
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    const again = await ask(at.urls.worker ?? '', 'POST /jobs/scan-expiring-deployment-tokens');
    expect(again.body).toEqual({ reminted: [] });
  });

  it('has automations that come up at the third redeploy', async () => {
    const at = await platform();
    const ends: unknown[] = [];
    for (let tries = 0; tries < 3; tries += 1) {
      await at.api('POST /api/v1/automations/automation-007/redeploy');
      await expect
        .poll(async () => (await at.api('GET /api/v1/automations/automation-007')).body.status)
        .not.toBe('deploying');
      ends.push((await at.api('GET /api/v1/automations/automation-007')).body.status);
    }
    expect(ends).toEqual(['failed', 'failed', 'online']);
  });

  it('shows its health check to holders of the debug token only', async () => {
    const at = await platform();
    const asked = async (token: string) =>
      (await fetch(new URL('/health/debug', at.urls.web), { headers: { 'x-factory-debug-token': token } }))
        .status;
    expect(await asked(key('debug'))).toBe(200);
    expect(await asked('another')).toBe(404);
    expect(await asked('')).toBe(404);
  });

  it('has services that agree on their shared keys, or refuse each other', async () => {
    const at = await platform();
    const web = at.urls.web ?? '';
    const person = { email: 'user@example.com', password: 'any' };
    const { body } = await ask(web, 'POST /api/v1/traces/token', { body: person });
    const traces = () =>
      ask(at.urls.collector ?? '', 'POST /v1/traces', { bearer: String(body.token), body: {} });
    expect((await traces()).status).toBe(200);
    expect((await ask(web, 'POST /api/v1/integrations/connect')).status).toBe(200);
    await at.restart('collector', { WHARF_JWT_SECRET: key('another') });
    await at.restart('integrations', { OAUTH_INTERNAL_API_KEY: key('another') });
    expect((await traces()).status).toBe(401);
    expect((await ask(web, 'POST /api/v1/integrations/connect')).status).toBe(401);
  });
});
