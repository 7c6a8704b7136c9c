import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { defineRedeploy, type Renewing } from '../../contract/hooks.ts';

/** What a build is told: ids only. It reads the value itself, with its own role. */
export interface BuildIds {
  /** As `KEYTURN_SECRET_ID`: the secret's full ARN. */
  readonly secretId: string;
  /** As `KEYTURN_VERSION_ID`. */
  readonly versionId: string;
}

export interface Build extends BuildIds {
  /** As CodeBuild shows it: `project:uuid`. */
  readonly id: string;
  readonly startedAt: Date;
  readonly status: 'in-progress' | 'succeeded' | 'failed';
  /** CodeBuild's own word: IN_PROGRESS, SUCCEEDED, FAILED, FAULT, TIMED_OUT, STOPPED. */
  readonly word: string;
  /** The phase that it is in or ended in. */
  readonly phase: string;
}

export interface Builds {
  /** The builds that were started for a secret's version after `since`, newest first. */
  startedAfter(project: string, since: Date): Promise<readonly Build[]>;
  /** The same token within five minutes answers with the same build. */
  start(project: string, ids: BuildIds, token: string): Promise<void>;
}

const Consumer = z.object({
  kind: z.literal('codebuild'),
  /** Name of the project. Its build must end only when what it deploys is healthy (`helm upgrade --wait`). */
  project: z
    .string()
    .check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{1,149}$/, 'must be the name of a CodeBuild project')),
});
type Consumer = z.infer<typeof Consumer>;

/**
 * Whatever a team's own build restarts: `helm upgrade`, a sync of Argo CD. The build knows the secret and the
 * version as `KEYTURN_SECRET_ID` and `KEYTURN_VERSION_ID`, and its success is the proof.
 *
 * A token holds for five minutes (CodeBuild API reference, StartBuild), so the build is looked for by these
 * variables first: after a crash, however late, the same build is found again.
 */
export const hook = defineRedeploy<Consumer, Builds>({
  kind: 'codebuild',
  consumer: Consumer,

  statements: ({ project }) => [
    {
      actions: ['codebuild:BatchGetBuilds', 'codebuild:ListBuildsForProject', 'codebuild:StartBuild'],
      resources: [`arn:{partition}:codebuild:{region}:{account}:project/${project}`],
    },
  ],

  check: () => null,

  async begin({ project }, renewing, builds) {
    const own = await ownBuilds(project, renewing, builds);
    if (own.some(({ status }) => status !== 'failed')) return;
    const { secretId, versionId, since } = renewing;
    // Another token after each build that failed, or the failed one would be the answer.
    const token = createHash('sha256')
      .update([secretId, versionId, since.toISOString(), own.length].join('\n'))
      .digest('hex');
    await builds.start(project, { secretId, versionId }, token);
  },

  async look({ project }, renewing, builds) {
    const [build] = await ownBuilds(project, renewing, builds);
    if (build === undefined) {
      return { renewed: false, reason: `no build of ${project} is known for the version` };
    }
    switch (build.status) {
      case 'succeeded':
        return { renewed: true };
      case 'in-progress':
        return { renewed: false, reason: `the build ${build.id} is in the phase ${build.phase}` };
      case 'failed':
        return {
          renewed: false,
          reason: `the build ${build.id} ended with ${build.word} in the phase ${build.phase}`,
          over: true,
        };
    }
  },
});

async function ownBuilds(project: string, renewing: Renewing, builds: Builds): Promise<readonly Build[]> {
  const found = await builds.startedAfter(project, renewing.since);
  return found.filter(
    ({ secretId, versionId }) => secretId === renewing.secretId && versionId === renewing.versionId,
  );
}
