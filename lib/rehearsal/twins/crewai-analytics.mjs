/** A stand-in of the analytics service (Cube) of the CrewAI platform: it answers tokens of CUBE_JWT_SECRET. */
import { serveVerifier } from './crewai-verifier.mjs';

serveVerifier({
  twin: 'crewai-analytics',
  variable: 'CUBE_JWT_SECRET',
  routes: { 'GET /cube/v1/meta': { cubes: [] }, 'POST /cube/v1/load': { data: [] } },
});
