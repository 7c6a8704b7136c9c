/** A stand-in of the Built-in Integrations service of the CrewAI platform: Rails calls it with OAUTH_INTERNAL_API_KEY. */
import { serve } from './http-server.mjs';
import { listeningPort, required, settingsOrExit } from './variables.mjs';

const { key, port } = settingsOrExit('crewai-integrations', (environment) => ({
  key: required(environment, 'OAUTH_INTERNAL_API_KEY'),
  port: listeningPort(environment, 'PORT', 4003),
}));

serve({
  twin: 'crewai-integrations',
  port,
  routes: {
    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
    'GET /internal/providers': ({ bearer }) =>
      bearer === key
        ? { status: 200, body: { providers: ['google', 'microsoft', 'hubspot', 'notion'] } }
        : { status: 401, body: { error: 'the key is not ours' } },
  },
});
