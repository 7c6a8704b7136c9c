import { inspect } from 'node:util';
import { CodeBuildClient } from '@aws-sdk/client-codebuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeBuildApi } from '../../../../lambdas/adapters/consumers/codebuild.ts';
import { hook } from '../../../../lambdas/hooks/redeploy/codebuild.ts';
import type { ProjectDefinition } from '../../../../lib/rehearsal/endpoint/codebuild.ts';
import { canary, openAccount, secretId, type TestAccount, versionId } from './account.ts';

let account: TestAccount;
let since: Date;
beforeEach(async () => {
  account = await openAccount();
  since = account.clock.now();
  await account.world.advance(1_000);
});
afterEach(() => account.close());

function consumer(definition: Partial<ProjectDefinition> = {}) {
  account.builds.define({ name: 'helm', environment: { TOKEN: canary }, ...definition });
  const api = codeBuildApi(new CodeBuildClient(account.config));
  const bound = hook.connect(api).bind({ kind: 'codebuild', project: 'helm' });
  if (!bound.ok) throw new Error(bound.broken.join());
  const renewing = (version: string) => ({ secretId, versionId: version, since });
  return {
    api,
    begin: (version = versionId) => bound.hook.begin(renewing(version), account.clock),
    look: (version = versionId) => bound.hook.look(renewing(version), account.clock),
  };
}

const started = () => account.builds.count('helm');

describe('a build', () => {
  test('goes through its phases, and its success renews', async () => {
    const { begin, look } = consumer();
    expect(await look()).toEqual({ renewed: false, reason: 'no build of helm is known for the version' });
    await begin();
    for (const phase of ['QUEUED', 'PROVISIONING', 'BUILD']) {
      const renewal = await look();
      expect(renewal).toEqual({
        renewed: false,
        reason: expect.stringMatching(`^the build helm:[0-9a-f-]{36} is in the phase ${phase}$`),
      });
      await account.world.advance(phase === 'QUEUED' ? 1_000 : 30_000);
    }
    await account.world.advance(10_000);
    expect(await look()).toEqual({ renewed: true });
  });

  test('is started once for a version, at once and long after the token has gone', async () => {
    const { begin } = consumer();
    await Promise.all([begin(), begin()]);
    await begin();
    await account.world.advance(6 * 60_000);
    await begin();
    expect(started()).toBe(1);
  });

  test('is found again among hundreds of others', async () => {
    const { api, begin, look } = consumer();
    await begin();
    for (let other = 0; other < 250; other += 1) {
      await api.start('helm', { secretId: `${secretId}-other`, versionId }, `other-${other}`);
    }
    await begin();
    expect(started()).toBe(251);
    await account.world.advance(60_000);
    expect(await look()).toEqual({ renewed: true });
  });

  test('of another version proves nothing', async () => {
    const { begin, look } = consumer();
    await begin('other-version');
    await account.world.advance(60_000);
    expect(await look()).toEqual({ renewed: false, reason: 'no build of helm is known for the version' });
  });

  test('of the same version from before, as after a roll back, proves nothing', async () => {
    const { begin, look } = consumer();
    await begin();
    await account.world.advance(60_000);
    since = account.clock.now();
    expect(await look()).toMatchObject({ renewed: false });
    await account.world.advance(1_000);
    await begin();
    expect(started()).toBe(2);
  });

  test.each(['FAILED', 'FAULT', 'TIMED_OUT'] as const)(
    'that ends with %s is a reason, and is started again',
    async (outcome) => {
      const { begin, look } = consumer({ outcomes: [outcome] });
      await begin();
      await account.world.advance(60_000);
      expect(await look()).toEqual({
        renewed: false,
        reason: expect.stringMatching(`ended with ${outcome} in the phase COMPLETED$`),
        over: true,
      });
      // Within the life of the first token, which would answer with the build that failed.
      await begin();
      expect(started()).toBe(2);
      await account.world.advance(60_000);
      expect(await look()).toEqual({ renewed: true });
    },
  );

  test('that a person stops is a reason', async () => {
    const { begin, look } = consumer();
    await begin();
    await account.world.advance(10_000);
    account.builds.stop('helm');
    expect(await look()).toMatchObject({
      renewed: false,
      reason: expect.stringContaining('ended with STOPPED'),
    });
  });

  test('shows nothing of the project’s own variables', async () => {
    const { api, begin } = consumer();
    await begin();
    const builds = await api.startedAfter('helm', since);
    expect(builds).toHaveLength(1);
    expect(inspect(builds, { depth: 9, showHidden: true })).not.toContain(canary);
  });

  test('of a project that is not there', async () => {
    const api = codeBuildApi(new CodeBuildClient(account.config));
    await expect(api.startedAfter('helm', since)).rejects.toMatchObject({ code: 'AwsNotFound' });
  });
});

test.each([
  ['-helm', 'project must be the name of a CodeBuild project; received "-helm".'],
  [undefined, 'project must be a string; received nothing.'],
])('a bad project is refused: %s', (project, sentence) => {
  expect(hook.check({ kind: 'codebuild', project })).toEqual({ ok: false, broken: [sentence] });
});
