/**
 * The calls that AWS's rotation templates make, as functions that can be deployed beside ours and counted by the
 * same counter. Only the calls are theirs, in our own code; what they do at a database is left out, since it
 * makes no call to Secrets Manager.
 *
 * Sequence read from aws-samples/aws-secrets-manager-rotation-lambdas, SecretsManagerRotationTemplate (generic)
 * and SecretsManagerRDSPostgreSQLRotationSingleUser (PostgreSQL), and measured in performance.md, section 2.
 * Some revisions of the generic template also take AWSPENDING away in finish, a third write; the kinder count
 * stands here.
 */
import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';

interface RotationEvent {
  readonly Step: string;
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}

/** A template: what it does in the two steps that a team fills in. */
interface Template {
  /** The new value. Default: the new password alone. */
  readonly made?: (current: string, password: string) => string;
  readonly set: (theirs: Theirs) => Promise<void>;
  readonly test: (theirs: Theirs) => Promise<void>;
}

/** The calls in the templates' own words. */
export interface Theirs {
  describe(): Promise<Readonly<Record<string, readonly string[]>>>;
  /** The version under a label; of AWSPENDING, this rotation's. Undefined: there is none. */
  read(label: string): Promise<string | undefined>;
  /** The current value of another secret. */
  readOther(secretId: string): Promise<string | undefined>;
}

/** Set and test of the generic template are to be written by its user: it makes no call there by itself. */
export const generic = templateHandler({ async set() {}, async test() {} });

/** Reads all three values before it tries to log in, and the pending one again in its test. */
export const postgresql = templateHandler({
  async set({ read }) {
    await read('AWSPREVIOUS');
    await read('AWSCURRENT');
    await read('AWSPENDING');
  },
  async test({ read }) {
    await read('AWSPENDING');
  },
});

export function templateHandler(template: Template) {
  return async ({ Step, SecretId, ClientRequestToken }: RotationEvent): Promise<void> => {
    // A client per invocation, as they have it.
    const client = new SecretsManagerClient({});
    const theirs: Theirs = {
      async describe() {
        const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId }));
        return VersionIdsToStages ?? {};
      },
      async read(label) {
        try {
          const answer = await client.send(
            new GetSecretValueCommand({
              SecretId,
              VersionStage: label,
              ...(label === 'AWSPENDING' ? { VersionId: ClientRequestToken } : {}),
            }),
          );
          return answer.SecretString;
        } catch (caught) {
          if (caught instanceof ResourceNotFoundException) return undefined;
          throw caught;
        }
      },
      async readOther(secretId) {
        const answer = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
        return answer.SecretString;
      },
    };
    const labels = (await theirs.describe())[ClientRequestToken] ?? [];
    if (labels.includes('AWSCURRENT')) return;
    if (!labels.includes('AWSPENDING')) throw new Error('the version is not pending');
    switch (Step) {
      case 'createSecret':
        return create(client, theirs, SecretId, ClientRequestToken, template.made);
      case 'setSecret':
        return template.set(theirs);
      case 'testSecret':
        return template.test(theirs);
      case 'finishSecret':
        return finish(client, theirs, SecretId, ClientRequestToken);
      default:
        throw new Error('the step is not one of the four');
    }
  };
}

async function create(
  client: SecretsManagerClient,
  { read }: Theirs,
  SecretId: string,
  ClientRequestToken: string,
  made: NonNullable<Template['made']> = (_current, password) => password,
): Promise<void> {
  const current = (await read('AWSCURRENT')) ?? '';
  if ((await read('AWSPENDING')) !== undefined) return;
  const { RandomPassword = '' } = await client.send(
    new GetRandomPasswordCommand({ ExcludeCharacters: ':/@"\'\\' }),
  );
  await client.send(
    new PutSecretValueCommand({
      SecretId,
      ClientRequestToken,
      SecretString: made(current, RandomPassword),
      VersionStages: ['AWSPENDING'],
    }),
  );
}

async function finish(
  client: SecretsManagerClient,
  { describe }: Theirs,
  SecretId: string,
  ClientRequestToken: string,
): Promise<void> {
  const versions = Object.entries(await describe());
  const current = versions.find(([, labels]) => labels.includes('AWSCURRENT'))?.[0];
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: ClientRequestToken,
      ...(current === undefined ? {} : { RemoveFromVersionId: current }),
    }),
  );
}
