/** What KaireonAI's stand-in keeps encrypted: four stores of each tenant, read and written by clients. */
import { textAt } from '../behaviour.ts';
import { prepared } from './prepare.ts';
import { readingClients, type StoredRow, writingClients } from './stored-clients.ts';
import type { StoredData, TwinUrls, TwinVariables, TwinWorld } from './twin.ts';
import { WriteRecord } from './write-record.ts';

/** Whose data it is: a rotation goes from one to the next. */
const tenants = ['acme', 'globex', 'initech'] as const;

/** Rows of a tenant in a store before the platform starts. */
const rowsAtStart = 20;

const stores = ['connectors', 'platform-settings', 'sso-configs', 'mfa-secrets'] as const;
/** An admin's API key of each tenant. */
export function tenantKeys({ seeded }: TwinWorld): TwinVariables {
  return Object.fromEntries(
    tenants.map((tenant) => [tenant, `krn_${seeded.bytes(`API key of ${tenant}`, 24).toString('hex')}`]),
  );
}

/**
 * @param key the secret under whose key it is
 * @param variables what the platform's own code needs to store it
 */
export function stored(world: TwinWorld, key: string, variables: TwinVariables): StoredData {
  const keys = tenantKeys(world);
  const record = new WriteRecord();
  const rowOf = (store: string, tenant: string, id: string): StoredRow => {
    const headers = { 'x-tenant-id': tenant };
    const bearer = keys[tenant] ?? '';
    const path = `/api/v1/${store}/${id}`;
    return {
      name: `${store}/${tenant}/${id}`,
      reads: [
        { method: 'GET', path, headers, bearer },
        { method: 'POST', at: 'worker', path: `/jobs/use/${store}/${id}`, headers },
      ],
      write: (value) => ({ method: 'POST', path, headers, bearer, body: { value } }),
    };
  };
  const rows = stores.flatMap((store) =>
    tenants.flatMap((tenant) =>
      Array.from({ length: rowsAtStart }, (_, index) => rowOf(store, tenant, `${tenant}-${index + 1}`)),
    ),
  );
  const byName = new Map(rows.map((row) => [row.name, row]));
  return {
    prepare: () =>
      prepared('kaireon-data', {
        DATABASE_URL: world.databaseUrl?.('kaireon') ?? '',
        TENANT_KEYS: JSON.stringify(keys),
        ROWS: String(rowsAtStart),
        ...variables,
      }),
    behaviours: [
      readingClients({ name: 'readers of stored secrets', secret: key, clients: 3, pause: 60, rows }),
      // Every fifth row is written over and over; the others stay as they are until something moves them.
      writingClients({
        name: 'writers of stored secrets',
        secret: key,
        clients: 2,
        pause: 60,
        rows: rows.filter((_, index) => index % 5 === 0),
        record,
      }),
    ],
    acknowledged: () => record.count,
    lost: (urls) => record.lost((name) => digestAt(urls, byName.get(name))),
  };
}

/** What the API shows of a row now; null when it cannot. */
async function digestAt(urls: TwinUrls, row: StoredRow | undefined): Promise<string | null> {
  const read = row?.reads[0];
  if (read === undefined) return null;
  const answer = await fetch(new URL(read.path, urls.api), {
    headers: { ...read.headers, authorization: `Bearer ${read.bearer}` },
  });
  return answer.ok ? textAt(await answer.json(), 'digest') : null;
}
