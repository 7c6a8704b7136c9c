/** What holds after any sequence of calls, failures and waits; and what a simulator of crashes relies on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AwsError, type Caller, type JsonObject } from '../../../lib/rehearsal/endpoint/wire.ts';
import {
  callers,
  functionArn,
  promote,
  type RotationEvent,
  rotationFunction,
  token,
  World,
} from './world.ts';

type Move =
  | { readonly kind: 'put'; readonly stages: readonly string[]; readonly old: number | null }
  | { readonly kind: 'stage'; readonly label: string; readonly to: number; readonly from: number | null }
  | { readonly kind: 'rotate'; readonly immediately: boolean }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'wait'; readonly ms: number };

const label = fc.constantFrom('AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS', 'mine');
const which = fc.nat({ max: 8 });
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    stages: fc.uniqueArray(label, { minLength: 1, maxLength: 3 }),
    old: fc.option(which),
  }),
  fc.record({ kind: fc.constant('stage' as const), label, to: which, from: fc.option(which) }),
  fc.record({ kind: fc.constant('rotate' as const), immediately: fc.boolean() }),
  fc.record({ kind: fc.constant('cancel' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 60_000, 86_400_000) }),
);

/** The call may be refused; anything but a refusal is a defect. */
async function tolerant(call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => {
    if (!(error instanceof AwsError)) throw error;
  });
}

async function make(world: World, SecretId: string, next: Move): Promise<void> {
  const ids = (world.secrets.snapshot(SecretId) ?? []).map((version) => version.id);
  const idOf = (index: number) => ids[index % ids.length] ?? token();
  if (next.kind === 'wait') return world.clock.advance(next.ms);
  if (next.kind === 'cancel') return tolerant(world.call('CancelRotateSecret', { SecretId }));
  if (next.kind === 'rotate') {
    const input = { SecretId, ClientRequestToken: token(), RotationLambdaARN: functionArn };
    return tolerant(world.call('RotateSecret', { ...input, RotateImmediately: next.immediately }));
  }
  const write: JsonObject =
    next.kind === 'put'
      ? { ClientRequestToken: next.old === null ? token() : idOf(next.old), VersionStages: next.stages }
      : { VersionStage: next.label, MoveToVersionId: idOf(next.to) };
  if (next.kind === 'put')
    return tolerant(world.call('PutSecretValue', { SecretId, SecretString: 'v', ...write }));
  const from = next.from === null ? {} : { RemoveFromVersionId: idOf(next.from) };
  return tolerant(world.call('UpdateSecretVersionStage', { SecretId, ...write, ...from }));
}

test('a secret with a value keeps exactly one readable AWSCURRENT; no label is on two versions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 25 }), fc.array(fc.boolean()), async (moves, failures) => {
      const world = new World({ retryDelays: [60_000] });
      const works = rotationFunction(world);
      let step = 0;
      world.handler = async (event) => {
        step += 1;
        if (failures[step] === true) throw new Error('no');
        return works(event);
      };
      const SecretId = world.name();
      await world.call('CreateSecret', { Name: SecretId, ClientRequestToken: token(), SecretString: 'v' });
      for (const next of moves) {
        await make(world, SecretId, next);
        const versions = world.secrets.snapshot(SecretId) ?? [];
        const labels = versions.flatMap((version) => version.labels);
        expect(new Set(labels).size).toBe(labels.length);
        expect(versions.find((version) => version.labels.includes('AWSCURRENT'))?.value).not.toBeNull();
        for (const version of versions)
          expect(version.value !== null || version.labels.length > 0).toBe(true);
      }
    }),
    { numRuns: 150, seed: 7 },
  );
});

/** Counts calls and crashes the process before or after one of them. */
function crashing(world: World, at: number, when: 'before' | 'after') {
  let calls = 0;
  const call = async (operation: string, input: JsonObject, caller: Caller) => {
    calls += 1;
    const mine = calls;
    if (mine === at && when === 'before') throw new Error('crash');
    const answer = await world.call(operation, input, caller);
    if (mine === at) throw new Error('crash');
    return answer;
  };
  const handler = async ({ Step, SecretId, ClientRequestToken }: RotationEvent) => {
    if (Step === 'createSecret') {
      const version = world.secrets.snapshot(SecretId)?.find(({ id }) => id === ClientRequestToken);
      const write = { SecretId, ClientRequestToken, SecretString: 'new', VersionStages: ['AWSPENDING'] };
      if (version?.value === null) await call('PutSecretValue', write, callers.FUNCTION);
    }
    if (Step === 'finishSecret') {
      await call('DescribeSecret', { SecretId }, callers.FUNCTION);
      await promote(world, SecretId, ClientRequestToken);
      await call('DescribeSecret', { SecretId }, callers.FUNCTION);
    }
    return null;
  };
  return handler;
}

test('a rotation whose function crashes once, before or after any call, is repeated to its end', async () => {
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; at <= 3; at += 1) {
      const world = new World();
      world.handler = crashing(world, at, when);
      const SecretId = world.name();
      const [old, id] = [token(), token()];
      await world.call('CreateSecret', { Name: SecretId, ClientRequestToken: old, SecretString: 'old' });
      await world.call('RotateSecret', { SecretId, ClientRequestToken: id, RotationLambdaARN: functionArn });
      await world.clock.advance(3_600_000);
      expect(world.labels(SecretId)).toEqual({ AWSCURRENT: id, AWSPREVIOUS: old });
      expect(world.secrets.runs.map((run) => [run.status, run.attempts.length])).toEqual([['succeeded', 2]]);
      expect(world.clock.planned).toBe(0);
    }
  }
});

test('two worlds with the same calls are the same to the last byte', async () => {
  const play = async () => {
    const world = new World();
    world.handler = rotationFunction(world);
    await world.call('CreateSecret', { Name: 'same', ClientRequestToken: 'a'.repeat(32), SecretString: 'v' });
    const input = { SecretId: 'same', ClientRequestToken: 'b'.repeat(32), RotationLambdaARN: functionArn };
    await world.call('RotateSecret', { ...input, RotationRules: { ScheduleExpression: 'rate(4 hours)' } });
    await world.clock.advance(86_400_000);
    return JSON.stringify([
      world.secrets.runs,
      world.secrets.snapshot('same'),
      world.events,
      world.invocations,
    ]);
  };
  expect(await play()).toBe(await play());
});
