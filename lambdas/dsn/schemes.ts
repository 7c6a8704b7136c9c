import type { Engine } from '../contract/target.ts';

interface Scheme {
  readonly engine: Engine;
  /** Query options may name host, port, user, password and database (libpq, section 34.1.1.2). */
  readonly optionsConnect: boolean;
}

const schemes: Readonly<Record<string, Scheme>> = {
  postgres: { engine: 'postgres', optionsConnect: true },
  postgresql: { engine: 'postgres', optionsConnect: true },
  mysql: { engine: 'mysql', optionsConnect: false },
  mariadb: { engine: 'mysql', optionsConnect: false },
  redis: { engine: 'redis', optionsConnect: false },
  rediss: { engine: 'redis', optionsConnect: false },
};

/** IANA's port for each engine: what every client takes where the string names none. */
export const defaultPorts: Readonly<Record<Engine, number>> = { postgres: 5432, mysql: 3306, redis: 6379 };

/** The scheme of a URL, which may name a driver (`postgresql+asyncpg`); null: this is no URL of a kind we know. */
export function schemeOf(text: string): ({ readonly name: string } & Scheme) | null {
  const [, name, kind] = /^(([a-z]+)(?:\+[a-z0-9_]+)?):\/\//i.exec(text) ?? [];
  const scheme = kind === undefined ? undefined : schemes[kind.toLowerCase()];
  return name === undefined || scheme === undefined ? null : { name, ...scheme };
}
