import type { Dsn } from './dsn.ts';

export type TargetPart = 'engine' | 'hosts' | 'database' | 'user';

/**
 * What tells two connection strings apart, beyond the password and options that do not say where to connect.
 *
 * @param alternating the user may differ: two roles take turns.
 * @returns the parts that differ; empty: the same target.
 */
export function differences(a: Dsn, b: Dsn, alternating = false): readonly TargetPart[] {
  const parts: readonly (readonly [TargetPart, (dsn: Dsn) => string])[] = [
    ['engine', ({ engine }) => engine],
    ['hosts', hosts],
    ['database', database],
    ['user', ({ user }) => (alternating ? '' : JSON.stringify(user))],
  ];
  return parts.filter(([, of]) => of(a) !== of(b)).map(([part]) => part);
}

/** Whether both lead to the same host, port and database, as the same user unless two users alternate. */
export function sameTarget(a: Dsn, b: Dsn, alternating = false): boolean {
  return differences(a, b, alternating).length === 0;
}

/** The order counts, for it is the order in which a client tries. Names are compared without case (RFC 4343). */
function hosts({ hosts: all, options }: Dsn): string {
  const places = all.map(({ host, port }) => [host?.startsWith('/') ? host : host?.toLowerCase(), port]);
  // libpq connects to hostaddr whatever the host says, and a service file names another host.
  return JSON.stringify([places, options.get('hostaddr') ?? null, options.get('service') ?? null]);
}

/** Where none is named, PostgreSQL takes the user's name, and Redis number 0. */
function database({ engine, database: named, user }: Dsn): string {
  if (named !== null) return named;
  return engine === 'postgres' ? (user ?? '') : engine === 'redis' ? '0' : '';
}
