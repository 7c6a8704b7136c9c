import { type CheckId, checks } from './checks.ts';
import type { Objection } from './decision.ts';
import type { Observed } from './observed.ts';

/** What is to be done, and which check says so. */
export type Decision = Objection & { readonly because: CheckId | 'in-order' };

/** The first check that objects decides. */
export function decide(about: Observed): Decision {
  for (const { id, objects } of checks) {
    const objection = objects(about);
    if (objection !== null) return { ...objection, because: id };
  }
  return { is: 'nothing', because: 'in-order', sentence: `The secret ${about.seen.name} is in order.` };
}
