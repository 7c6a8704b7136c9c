/** What `status` tells of data keys: ids and counts out of the rollout's state, for the version that is current. */
import { describe, expect, test } from 'vitest';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { derivedToken } from '../../lambdas/contract/tokens.ts';
import { keysSeen, keysSentence } from '../../lib/operations/keys.ts';
import type { Walked } from '../../lib/operations/rollout-standing.ts';
import { type Shown, sighting, state, subject, walked } from './sightings.ts';

const about = subject('CREDENTIAL_ENCRYPTION_KEY', 'tessallite');
const promoted = derivedToken('root', 'promoted');
const versions: Shown['versions'] = {
  root: { labels: ['AWSPREVIOUS'], age: 60 },
  [promoted]: { labels: ['AWSCURRENT'], age: 30 },
};
const keys = { write: 'aaaaaaaaaaaa', others: ['bbbbbbbbbbbb'] };
const known: RolloutState = { ...state, versionId: promoted, phase: 'promoted', keys };
const seenIn = (walk: Walked | null, of = about) =>
  keysSeen({ ...sighting(of, { versions }, { is: 'none' }), walked: walk });
const stalled = (at: RolloutState) => walked({ error: 'RolloutStalled' }, [['stall', at]]);

describe('of a data key', () => {
  test('the rollout under way tells phase and ids', () => {
    const seen = seenIn(stalled(known));
    expect(seen).toEqual({ phase: 'promoted', keys, targets: [] });
    expect(seen && keysSentence(seen)).toBe(
      'promoted; key aaaaaaaaaaaa is in use, still accepted: bbbbbbbbbbbb.',
    );
  });

  test('rows are named where they were counted by key', () => {
    const rows = { aaaaaaaaaaaa: 40, bbbbbbbbbbbb: 2 };
    const seen = seenIn(stalled({ ...known, keys: { ...keys, rows } }));
    expect(seen && keysSentence(seen)).toBe(
      'promoted; key aaaaaaaaaaaa is in use (40 rows under it), still accepted: bbbbbbbbbbbb (2 rows under it).',
    );
  });

  test('what is left to move is told where no rows were counted by key', () => {
    const targets = [
      { target: 'one', total: 10, moved: 7, left: 3, poisoned: 0 },
      { target: 'two', total: 10, moved: 6, left: 4, poisoned: 0 },
    ];
    const reencryption = { finished: false, hook: 0, cursor: null, slices: 1, targets, setAside: [] };
    const seen = seenIn(stalled({ ...known, reencryption }));
    expect(seen && keysSentence(seen)).toMatch(/bbbbbbbbbbbb; 7 rows left to move\.$/);
  });

  test('one that ended well tells by its output', () => {
    const output = JSON.stringify({ ...known, keys: { write: 'aaaaaaaaaaaa', others: [] } });
    const seen = seenIn(walked({ status: 'SUCCEEDED', output }, []));
    expect(seen && keysSentence(seen)).toBe(
      'promoted; key aaaaaaaaaaaa is in use, no other key is accepted.',
    );
  });

  test.each([
    ['of another version', stalled({ ...known, versionId: 'root' })],
    ['that no stage has read keys in', stalled({ ...state, versionId: promoted })],
    ['that there is none', null],
  ])('a state %s tells no ids', (_which, walk) => {
    const seen = seenIn(walk);
    expect(seen).toMatchObject({ keys: null });
    expect(seen && keysSentence(seen)).toMatch(/ids of its keys are not known/);
  });
});

test('a secret that no data is under has none to tell', () => {
  expect(seenIn(stalled(known), subject('JWT_SECRET_KEY', 'tessallite'))).toBeNull();
});
