import type { Clock } from '../../contract/ports.ts';
import type { Connection } from './connection.ts';

export interface PaceLimits {
  /** Rows per second at most; undefined: as fast as the server takes them. */
  readonly rowsPerSecond: number | undefined;
  /** Seconds that the slowest replica may lag behind. */
  readonly replicaLagSeconds: number;
  /** Sessions that may be active beside our own; undefined: any number. */
  readonly activeSessions: number | undefined;
}

export interface Pace {
  /** Waits as long as the limits ask for, after this many rows. */
  after(rows: number): Promise<void>;
}

/** Milliseconds between two questions to the server. */
const askEvery = 1_000;
const pause = 500;

/** @param client answers beside the sweep's own statements. */
export function paceOf(limits: PaceLimits, client: Connection, clock: Clock, remaining: () => number): Pace {
  const { rowsPerSecond } = limits;
  const began = clock.now().getTime();
  let rows = 0;
  let asked = began;

  return {
    async after(count) {
      rows += count;
      const now = clock.now().getTime();
      if (rowsPerSecond !== undefined) {
        const due = began + (rows / rowsPerSecond) * 1_000;
        if (due > now) await clock.sleep(Math.min(due - now, Math.max(0, remaining())));
      }
      if (now - asked < askEvery) return;
      while ((await isStrained(limits, client)) && remaining() > pause) await clock.sleep(pause);
      asked = clock.now().getTime();
    },
  };
}

async function isStrained(
  { replicaLagSeconds, activeSessions }: PaceLimits,
  client: Connection,
): Promise<boolean> {
  const { rows } = await client.query(
    // A user without pg_read_all_stats sees no lag here: NULL, which is no reason to wait.
    `SELECT coalesce((SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication), 0)::text AS lag,
            (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend'
                AND application_name <> 'keyturn')::text AS active`,
  );
  const [{ lag = 0, active = 0 } = {}] = rows;
  return Number(lag) > replicaLagSeconds || (activeSessions !== undefined && Number(active) > activeSessions);
}
