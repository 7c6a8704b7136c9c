/**
 * A stand-in of the worker of the CrewAI platform: the daily job that mints new tokens for deployed automations
 * whose refresh tokens end within 48 hours, and for no others. It runs a day after the start, or when it is asked to.
 */
import { railsSessions } from './crewai-database.mjs';
import { serve } from './http-server.mjs';
import { inside, instanceTokens, remintWithin } from './instance-tokens.mjs';
import { listeningPort, required, settingsOrExit } from './variables.mjs';

const day = 24 * 3_600_000;

const { tokens, automationsUrl, port } = settingsOrExit('crewai-worker', (environment) => ({
  tokens: instanceTokens(environment),
  automationsUrl: required(environment, 'AUTOMATIONS_URL'),
  port: listeningPort(environment, 'PORT', 3001),
}));

setInterval(() => void scan().catch(() => {}), day).unref();

const held = await railsSessions('crewai-worker');

serve({
  twin: 'crewai-worker',
  port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
    'POST /jobs/scan-expiring-deployment-tokens': async () => ({
      status: 200,
      body: { reminted: await scan() },
    }),
  },
});

/** @returns {Promise<string[]>} whose tokens were minted anew */
async function scan() {
  const { body } = await inside(automationsUrl, `GET /expiring?within=${remintWithin}`);
  for (const id of body.ids) {
    const refresh_token = await tokens.refreshToken(id);
    await inside(automationsUrl, `POST /instances/${id}/remint`, { body: { refresh_token } });
  }
  return body.ids;
}
