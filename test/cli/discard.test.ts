/** Whether a pending version may be discarded, decided on evidence alone. */
import { describe, expect, test } from 'vitest';
import { SecretDocument } from '../../lambdas/contract/document.ts';
import { decide, type PendingEvidence } from '../../lib/operations/discard.ts';

const variables = new Map([['KEY', 'a value that nobody sees']]);
const ours = new SecretDocument(variables, { schema: 1, class: 'opaque-token', base: null });
const byHand = new SecretDocument(variables, null);
const generated: PendingEvidence = {
  document: ours,
  verdict: null,
  told: false,
  supplied: false,
  wasCurrent: false,
};

const rows: readonly (readonly [string, Partial<PendingEvidence>, boolean, string])[] = [
  ['no value was stored', { document: 'empty' }, true, 'no value was stored in it'],
  ['nothing can probe what Keyturn made', {}, true, 'has given it to nobody'],
  ['the probe gave no answer on what Keyturn made', { verdict: 'inconclusive' }, true, 'given it to nobody'],
  ['its target refuses it', { verdict: 'refused', told: true }, true, 'its target refuses it'],
  ['its target accepts it', { verdict: 'accepted' }, false, 'accepts the pending value already'],
  [
    'the target was told and accepts it',
    { verdict: 'accepted', told: true },
    false,
    'accepts the pending value',
  ],
  ['the target was told and nothing can probe it', { told: true }, false, 'nothing can probe it'],
  [
    'the target was told and did not answer',
    { told: true, verdict: 'inconclusive' },
    false,
    'no clear answer',
  ],
  [
    'a provider made it and a person supplied it',
    { supplied: true, verdict: 'accepted' },
    true,
    'KEYTURN_SUPPLIED',
  ],
  [
    'it was current, and is still accepted',
    { wasCurrent: true, verdict: 'accepted' },
    false,
    'consumers may run with it',
  ],
  ['it was current, and nothing shows it dead', { wasCurrent: true }, false, 'consumers may run with it'],
  ['it was current, and is refused', { wasCurrent: true, verdict: 'refused' }, true, 'refuses it'],
  ['it is no document', { document: 'unreadable' }, true, 'it is no document'],
  ['somebody wrote it by hand', { document: byHand }, false, 'not made by Keyturn'],
];

describe('discard', () => {
  test.each(rows)('when %s', (_situation, evidence, may, words) => {
    const decision = decide({ ...generated, ...evidence }, 'KEY');
    expect(decision.may).toBe(may);
    expect(JSON.stringify(decision)).toContain(words);
    expect(JSON.stringify(decision)).not.toContain('nobody sees');
  });
});
