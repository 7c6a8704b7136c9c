/** How an operator's commands are written, wherever a message names the one to go on with. */

/** The CLI's verbs that a message may name. */
export type Verb =
  | 'status'
  | 'rotate'
  | 'approve'
  | 'supply'
  | 'resume'
  | 'rollback'
  | 'discard'
  | 'reencrypt'
  | 'acknowledge';

/** `npx keyturn resume JWT_SECRET`: to be copied as it stands. A key has no character that a shell would take for its own. */
export function command(verb: Verb, key: string): string {
  const consent = verb === 'approve' ? ' --for 1h --reason planned' : '';
  return `npx keyturn ${verb} ${key}${consent}`;
}
