import type { ProbePorts, Verdict } from '../../contract/hooks.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import type { Answer } from './answer.ts';
import { verdictOf } from './answer.ts';

/** Milliseconds for one exchange, and the most that is read of its answer. */
const deadline = 5_000;
const maximumBytes = 65_536;

export interface Exchange {
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly accepted: Answer;
  readonly refused: Answer;
  readonly times: number;
}

/** Asks the target `times` times; anything but a unanimous answer is inconclusive. */
export async function exchange(what: Exchange, ports: ProbePorts): Promise<Verdict> {
  const headers = new Map([...what.headers].map(([name, value]) => [name, new Sensitive(value)]));
  let verdict: Verdict | null = null;
  for (let time = 0; time < what.times; time += 1) {
    const response = await ports.http.send({ method: 'GET', url: what.url, headers, deadline, maximumBytes });
    const said = verdictOf(response, what.accepted, what.refused);
    if (said === 'inconclusive' || (verdict !== null && said !== verdict)) return 'inconclusive';
    verdict = said;
  }
  return verdict ?? 'inconclusive';
}
