import * as z from 'zod/mini';
import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { defineClass } from '../contract/secret-class.ts';

const Options = z.strictObject({
  /** Members that the consumers read. Default: those of a master user whom RDS or Aurora manages. */
  members: z._default(z.array(z.string()).check(z.minLength(1)), ['username', 'password']),
});
type Options = z.infer<typeof Options>;

/**
 * A secret that another service rotates: the master user of RDS, Aurora, Redshift or DocumentDB (Secrets Manager
 * user guide, "Managed rotation"). Keyturn never writes it; its rollout follows every rotation of that service.
 */
export const secretClass = defineClass<Options>({
  id: 'observed',
  steps: 'none of ours: the service that manages the secret makes its values',
  plan: 'redeploy-and-prove',
  admission: 'elsewhere',
  // Managed rotation has one user: new logins with the old password fail from the moment of the change.
  cutover: true,
  supplied: false,
  restorable: false,
  actions: [],
  options: Options,

  check: ({ members }) =>
    new Set(members).size === members.length ? null : 'options.members must name each member once.',
  variables: ({ members: [first = '', ...others] }) => [first, ...others],
  breaks: () => 'logins with the old password, until their consumers have restarted',

  async create() {
    throw new KeyturnError({
      code: 'StepRefused',
      message: 'The service that manages this secret rotates it; Keyturn does not.',
    });
  },

  set: null,

  async test({ options, document }) {
    demandMembers(options, document);
  },
});

function demandMembers({ members }: Options, document: SecretDocument): void {
  for (const member of members) document.value(member);
}
