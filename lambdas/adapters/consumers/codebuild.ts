import {
  BatchGetBuildsCommand,
  CodeBuildClient,
  type Build as Described,
  ListBuildsForProjectCommand,
  StartBuildCommand,
} from '@aws-sdk/client-codebuild';
import { type Build, type BuildIds, type Builds, hook } from '../../hooks/redeploy/codebuild.ts';
import { call } from '../aws/errors.ts';

const secretVariable = 'KEYTURN_SECRET_ID';
const versionVariable = 'KEYTURN_VERSION_ID';

/** Pages of 100 builds that are read at most: a project that starts more builds than that is not a deployment. */
const mostPages = 10;

const statuses: ReadonlyMap<string, Build['status']> = new Map([
  ['IN_PROGRESS', 'in-progress'],
  ['SUCCEEDED', 'succeeded'],
]);

/**
 * CodeBuild through the AWS SDK. A build is described with all its variables, plain ones with their values;
 * only our own two ids ever leave this file.
 */
export function codeBuildApi(client: CodeBuildClient): Builds {
  return {
    async startedAfter(project, since) {
      const found: Build[] = [];
      let nextToken: string | undefined;
      for (let page = 0; page < mostPages; page += 1) {
        const token = nextToken;
        const listed = await call('ListBuildsForProject', () =>
          client.send(
            new ListBuildsForProjectCommand({
              projectName: project,
              sortOrder: 'DESCENDING',
              ...(token === undefined ? {} : { nextToken: token }),
            }),
          ),
        );
        // A page has 100 ids, as many as BatchGetBuilds takes (CodeBuild API reference).
        const builds = await described(listed.ids ?? []);
        found.push(
          ...builds.filter(({ startTime }) => startTime !== undefined && startTime > since).map(buildOf),
        );
        nextToken = listed.nextToken;
        const reachedOlder = builds.some(({ startTime }) => startTime !== undefined && startTime <= since);
        if (nextToken === undefined || reachedOlder) break;
      }
      return found.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
    },

    async start(project, { secretId, versionId }, token) {
      await call('StartBuild', () =>
        client.send(
          new StartBuildCommand({
            projectName: project,
            idempotencyToken: token,
            environmentVariablesOverride: [
              { name: secretVariable, value: secretId, type: 'PLAINTEXT' },
              { name: versionVariable, value: versionId, type: 'PLAINTEXT' },
            ],
          }),
        ),
      );
    },
  };

  async function described(ids: readonly string[]): Promise<readonly Described[]> {
    if (ids.length === 0) return [];
    const answer = await call('BatchGetBuilds', () =>
      client.send(new BatchGetBuildsCommand({ ids: [...ids] })),
    );
    return answer.builds ?? [];
  }
}

function buildOf(described: Described): Build {
  return {
    id: described.id ?? '',
    startedAt: described.startTime ?? new Date(0),
    status: statuses.get(described.buildStatus ?? '') ?? 'failed',
    word: described.buildStatus ?? 'no status',
    phase: described.currentPhase ?? 'SUBMITTED',
    ...idsOf(described),
  };
}

function idsOf({ environment }: Described): BuildIds {
  const value = (wanted: string) =>
    environment?.environmentVariables?.find(({ name }) => name === wanted)?.value ?? '';
  return { secretId: value(secretVariable), versionId: value(versionVariable) };
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () => hook.connect(codeBuildApi(new CodeBuildClient({})));
