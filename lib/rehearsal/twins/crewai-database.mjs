/** The database of Rails in the CrewAI platform: its place in plain variables, its login in two of the chart's secrets. */
import { databaseSessions } from './database-sessions.mjs';

/**
 * @param {string} name what the sessions call themselves
 */
export function railsSessions(name) {
  const {
    DB_HOST = '',
    DB_PORT = '5432',
    DB_NAME = '',
    DB_USER = 'postgres',
    DB_PASSWORD = '',
  } = process.env;
  return databaseSessions(name, {
    host: DB_HOST,
    port: Number(DB_PORT),
    database: DB_NAME,
    user: DB_USER,
    password: DB_PASSWORD,
  });
}
