/**
 * Acknowledges data that cannot be read: one datum at a time, and only data that a rollout has set aside. From
 * then on it does not keep the old key from being retired. The datum itself is never touched.
 */
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import {
  acknowledgedRows,
  acknowledgedTag,
  rowId,
  type SetAside,
} from '../../lambdas/contract/reencryption.ts';
import type { ReencryptionState } from '../../lambdas/contract/rollout-state.ts';
import { lookAt } from './look.ts';
import { refusal } from './refusal.ts';
import type { Subject } from './subject.ts';

/** Characters of a tag's value at most (Secrets Manager API reference, Tag). */
const tagLength = 256;

/** Tags that acknowledgements may take, of the 50 that a secret has room for. */
const mostTags = 20;

export interface Acknowledgement {
  readonly secretArn: string;
  readonly datum: SetAside;
  /** The tag that gets it, whole; null: it was acknowledged before. */
  readonly tag: { readonly name: string; readonly value: string } | null;
  /** What the rollout lists as set aside and is not acknowledged yet, this datum left out. */
  readonly open: readonly SetAside[];
  /** How many more it has counted than it lists: its next attempt lists the first of them. */
  readonly more: number;
}

/**
 * @param target and `row`: as the rollout's report names them
 * @throws KeyturnError OperationRefused when no stopped rollout has set this datum aside.
 */
export async function prepareAcknowledgement(
  subject: Subject,
  { target, row }: Pick<SetAside, 'target' | 'row'>,
  ports: OperatorPorts,
): Promise<Acknowledgement> {
  const { overview, rollout } = await lookAt(subject, ports);
  const { key } = subject.secret;
  const reencryption = rollout.is === 'stalled' ? rollout.state.reencryption : undefined;
  const setAside = reencryption?.setAside ?? [];
  const known = acknowledgedRows(overview.tags);
  const more = moreThanListed(reencryption, known);
  const datum = setAside.find((one) => one.target === target && one.row === row);
  if (datum === undefined) {
    throw refusal(
      setAside.length === 0
        ? `No stopped rollout of ${key} has set data aside: there is nothing to acknowledge.`
        : `The stopped rollout of ${key} has set aside no row of that name.`,
      setAside.length === 0
        ? `See: keyturn status ${key}.`
        : `It has set aside: ${setAside.slice(0, 10).map(named).join('; ')}${more === 0 ? '' : `, and more than it lists: acknowledge those first, then resume it`}. All of them: keyturn reencrypt ${key} --verify.`,
    );
  }
  const id = rowId(target, row);
  return {
    secretArn: overview.arn,
    datum,
    tag: known.has(id) ? null : tagWith(id, overview.tags, key),
    open: setAside.filter((one) => one !== datum && !known.has(rowId(one.target, one.row))),
    more,
  };
}

/**
 * A state has no room for every row. It counts the rows that were acknowledged before it was made, and does not list
 * them.
 */
function moreThanListed(reencryption: ReencryptionState | undefined, known: ReadonlySet<string>): number {
  if (reencryption === undefined) return 0;
  const { targets, setAside } = reencryption;
  const poisoned = targets.reduce((sum, count) => sum + count.poisoned, 0);
  const since = setAside.filter(({ target, row }) => known.has(rowId(target, row))).length;
  return Math.max(0, poisoned - setAside.length - (known.size - since));
}

/** May run twice. */
export async function acknowledge(
  { secretArn, tag }: Acknowledgement,
  { secrets }: OperatorPorts,
): Promise<void> {
  if (tag !== null) await secrets.tag(secretArn, new Map([[tag.name, tag.value]]));
}

/** As `--target` and `--row` take it. */
export function named({ target, row, poison }: SetAside): string {
  return `--target ${target} --row ${row} (${poison})`;
}

/** The first tag that has room. */
function tagWith(
  id: string,
  tags: ReadonlyMap<string, string>,
  key: string,
): { name: string; value: string } {
  for (let number = 1; number <= mostTags; number += 1) {
    const name = `${acknowledgedTag}${number}`;
    const value = [...(tags.get(name)?.split(' ') ?? []), id].join(' ');
    if (value.length <= tagLength) return { name, value };
  }
  throw refusal(
    `${key} has no room for another acknowledgement.`,
    'So much unreadable data is no exception any more: find its cause, repair or remove it.',
  );
}
