import { hostOf } from '../../hooks/allowed-url.ts';
import { hook } from '../../hooks/reencrypt/http.ts';
import type { ReencryptHttp } from '../../hooks/reencrypt/http-calls.ts';
import { type GuardedHttp, guardedHttp } from '../guarded-http.ts';

/** Most bytes of an answer: it lists what could not be moved. */
const maximumBytes = 4_194_304;

/** Requests to a platform; each may go to the host of its own address only, which the deployment file names. */
export function reencryptHttp(http: GuardedHttp): ReencryptHttp {
  return {
    send: ({ body, ...request }) =>
      http.send({
        ...request,
        ...(body === undefined ? {} : { body: body.reveal() }),
        allowedHosts: [hostOf(request.url)],
        maximumBytes,
      }),
  };
}

/** Read by the generated entries of the stages that move and count stored data. */
export const connected = () => hook.connect(reencryptHttp(guardedHttp()));
