/** Clients that make every service of a platform use the sessions that it holds at its database, and open new ones. */
import { type Behaviour, isRecord, type SessionReport } from '../behaviour.ts';
import type { TwinVariables, TwinWorld } from './twin.ts';

/** Of so many rounds one asks for a new session: logins are rare beside statements. */
const roundsPerLogin = 4;

/** Sessions that each task keeps open. */
const heldSessions = 3;

/** The variable by which a task is told to hold sessions: in runs that rotate the login only. */
export function sessionsHeld({ databaseServer }: TwinWorld): TwinVariables {
  return databaseServer === undefined ? {} : { HELD_SESSIONS: String(heldSessions) };
}

/** The same for sessions at a Redis, whose address has no place for an authority. */
export function redisSessionsHeld({ redisServer }: TwinWorld): TwinVariables {
  return redisServer === undefined
    ? {}
    : { HELD_REDIS_SESSIONS: String(heldSessions), REDIS_CA_FILE: redisServer.authority };
}

/**
 * @param secret under which the sessions are counted
 * @param services consumers that hold sessions
 * @param base path under which they are asked
 */
export function sessionClients(
  secret: string,
  services: readonly string[],
  base: string,
): readonly Behaviour[] {
  return services.map((at) => ({
    name: `sessions of ${at}`,
    secret,
    clients: 2,
    pause: 50,
    client(session) {
      let round = 0;
      return async () => {
        round += 1;
        const path = round % roundsPerLogin === 0 ? `${base}/new` : `${base}/held`;
        const outcome = await session.send({ method: 'POST', at, path }, reportIn);
        if (outcome.kind === 'served') session.reported(outcome.value);
      };
    },
  }));
}

function reportIn(body: unknown): SessionReport | null {
  if (!isRecord(body)) return null;
  const { statements, failed, logins, refusedAgo, codes } = body;
  if (typeof statements !== 'number' || typeof failed !== 'number' || typeof logins !== 'number') return null;
  if (!Array.isArray(refusedAgo) || !Array.isArray(codes)) return null;
  return { statements, failed, logins, refusedAgo: refusedAgo.map(Number), codes: codes.map(String) };
}
