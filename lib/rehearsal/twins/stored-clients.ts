/** Clients of data that a platform keeps encrypted: some read it all the time, some write it and keep a record. */
import {
  type Behaviour,
  type ClientRequest,
  type Login,
  loggedIn,
  type Token,
  textAt,
} from '../behaviour.ts';
import type { WriteRecord } from './write-record.ts';

/** A stored value, and how it is reached. */
export interface StoredRow {
  /** What the record calls it. */
  readonly name: string;
  /** Each way to have it decrypted: the answer of each has the member `digest`, the SHA-256 of the value. */
  readonly reads: readonly ClientRequest[];
  /** Stores a value; a 2xx is the acknowledgement. */
  write(value: string): ClientRequest;
}

interface Clients extends Pick<Behaviour, 'name' | 'secret' | 'clients' | 'pause'> {
  readonly rows: readonly StoredRow[];
  /** What the requests need first, and the secret that signs it. Left out: nothing. */
  readonly login?: Login & { readonly signedBy: string };
}

type Step = (authorised: (request: ClientRequest) => ClientRequest) => Promise<boolean>;

/** Clients that read one row after the other, each way in turn. What cannot be decrypted is a failed request. */
export function readingClients({ rows, ...clients }: Clients): Behaviour {
  const requests = rows.flatMap(({ reads }) => reads);
  return steady(clients, (session, index) => {
    let next = index;
    return async (authorised) => {
      const request = requests[next % requests.length];
      next += clients.clients;
      if (request === undefined) return true;
      const outcome = await session.send(authorised(request), (body) => textAt(body, 'digest'));
      return outcome.kind === 'served';
    };
  });
}

/**
 * Clients that write, each its own rows, and read at once what they wrote: an answer that the record cannot explain is
 * a failed request.
 */
export function writingClients({ rows, record, ...clients }: Clients & { record: WriteRecord }): Behaviour {
  return steady(clients, (session, index) => {
    const own = rows.filter((_, at) => at % clients.clients === index);
    let round = 0;
    return async (authorised) => {
      const row = own[round % own.length];
      if (row === undefined) return true;
      round += 1;
      const value = `${row.name}, written for the ${round}th time by client ${index}`;
      record.sending(row.name, value);
      const written = await session.send(authorised(row.write(value)), () => true);
      if (written.kind === 'served') record.acknowledged(row.name, value);
      const [read] = row.reads;
      if (read === undefined) return written.kind === 'served';
      const outcome = await session.send(authorised(read), (body) => {
        const digest = textAt(body, 'digest');
        return digest !== null && record.explains(row.name, digest) ? digest : null;
      });
      return written.kind === 'served' && outcome.kind === 'served';
    };
  });
}

function steady(
  { login, ...behaviour }: Omit<Clients, 'rows'>,
  stepOf: (session: Parameters<Behaviour['client']>[0], index: number) => Step,
): Behaviour {
  let clients = 0;
  return {
    ...behaviour,
    client(session) {
      const step = stepOf(session, clients % behaviour.clients);
      clients += 1;
      let token: Token | null = null;
      return async () => {
        if (login === undefined) {
          if (await step((request) => request)) session.whole();
          return;
        }
        token ??= await loggedIn(session, login, login.signedBy);
        if (token === null) return;
        const held = token;
        if (await step((request) => ({ ...request, bearer: held.value, token: held }))) session.whole();
        // After a failure too: a token that is refused without a reason would otherwise be sent for ever.
        else token = null;
      };
    },
  };
}
