/**
 * A stand-in of KaireonAI's cleanup job, which reads DATABASE_URL as the API does. The real one is a CronJob whose pods
 * start with whatever the secret holds by then; this one stays up between its runs, as a job on a platform without
 * CronJobs would, and so has to be restarted.
 */
import { databaseSessions } from './database-sessions.mjs';
import { serve } from './http-server.mjs';
import { listeningPort, required, settingsOrExit } from './variables.mjs';

const { databaseUrl, port } = settingsOrExit('kaireon-cleanup', (environment) => ({
  databaseUrl: required(environment, 'DATABASE_URL'),
  port: listeningPort(environment, 'PORT', 3002),
}));
const held = await databaseSessions('kaireon-cleanup', { connectionString: databaseUrl });

serve({
  twin: 'kaireon-cleanup',
  port,
  routes: { ...held, 'GET /health': () => ({ status: 200, body: { status: 'ok' } }) },
});
