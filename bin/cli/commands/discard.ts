import { discard, prepareDiscard } from '../../../lib/operations/discard.ts';
import { span } from '../../../lib/operations/spans.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export const command: Command = {
  name: 'discard',
  summary: 'clear a pending version that is stuck',
  about: 'one',
  details: `Makes sure that nothing outside holds the pending value: the target's probe must refuse it, or Keyturn must have made
it and given it to nobody. Then takes the label AWSPENDING away, so that Secrets Manager stops trying that rotation
and accepts the next one. What is current is not touched. Rotation stays switched on.`,
  flags: {},

  async run({ given, deployment, ports }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key } = subject.secret;
    const prepared = await prepareDiscard(subject, ports);
    await discard(subject, prepared, ports);
    const { versionId, age, because, rotationEnabled } = prepared;
    const pending = age === null ? '' : `, pending for ${span(age)}`;
    const off = rotationEnabled ? '' : 'Rotation is switched off; the next rotate switches it on again.\n';
    return {
      exitCode: exitCodes.ok,
      text: `Version ${versionId} of ${key}${pending}, is discarded: ${because}.\n${off}To rotate: keyturn rotate ${key}\n`,
      json: { secret: key, discarded: versionId, because, rotationEnabled },
    };
  },
};
