/**
 * Moves or counts the data under a secret's key from an operator's machine: what the rollout's own stages do, with
 * all the time that it takes. The hooks are the deployment's, and so is the moment: never a key that nobody uses.
 */
import { parseDocument } from '../../lambdas/contract/document.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { type Plan, plans } from '../../lambdas/contract/plan.ts';
import {
  acknowledgedRows,
  type BoundReencryption,
  type ConnectedReencryptKind,
  type ReencryptPorts,
  rowId,
  type SetAside,
  type Slice,
  type SliceReport,
  type TargetCount,
} from '../../lambdas/contract/reencryption.ts';
import { lookAt } from './look.ts';
import { refusal } from './refusal.ts';
import type { Subject } from './subject.ts';

/** What is done: `move` it, tell what a move would do, or count what is left by looking at everything. */
export type Work = 'move' | 'dry-run' | 'verify';

/** What working with data takes beside the operator's own ports. */
export interface DataPorts {
  /** The hooks' kinds with their APIs, by kind. */
  readonly kinds: ReadonlyMap<string, ConnectedReencryptKind>;
  readonly credential: ReencryptPorts['credential'];
  progress(report: SliceReport): void;
}

export interface Reencrypted {
  readonly secretArn: string;
  /** Names of keys: the one that the data is to be under, and the others of the ring. */
  readonly writeKey: string;
  readonly otherKeys: readonly string[];
  readonly targets: readonly TargetCount[];
  readonly setAside: readonly SetAside[];
  /** Data that still needs another key, without what was acknowledged. */
  readonly left: number;
  readonly notes: readonly string[];
}

/** Milliseconds of one slice: after it, the next goes on at its cursor. */
const sliceTime = 60_000;

/**
 * May run twice, beside itself and beside the rollout: a datum is written only as it was read.
 *
 * @throws KeyturnError OperationRefused when nothing is encrypted under the secret, or when its data must not move
 *   now; what the hooks throw.
 */
export async function reencrypt(
  subject: Subject,
  work: Work,
  ports: OperatorPorts,
  data: DataPorts,
): Promise<Reencrypted> {
  const { secret } = subject;
  const { overview, currentId } = await lookAt(subject, ports);
  const keys = secret.class.bind(secret.settings.options).phases?.data ?? null;
  if (keys === null || secret.reencryptions.length === 0) {
    throw refusal(
      `No data that Keyturn could move is encrypted under ${secret.key}.`,
      'Its entry in the deployment file has no reencrypt.',
    );
  }
  if (currentId === null) throw refusal(`${secret.key} has no value yet.`, `keyturn rotate ${secret.key}`);
  const version = await ports.secrets.read(overview.arn, currentId);
  const document = parseDocument(version.value, `The current value of ${secret.key}`);
  if (work === 'move') demandInUse(subject, document.memory?.phase ?? null);
  const ring = keys.ring(document, false);
  const slice = { ring, dryRun: work !== 'move', secretId: overview.arn, versionIds: [currentId] };
  const targets = new Map<string, TargetCount>();
  const setAside: SetAside[] = [];
  const notes: string[] = [];
  for (const hook of hooksOf(subject, data)) {
    const report = await toTheEnd(hook, slice, work, ports, data);
    for (const count of report.targets) targets.set(count.target, count);
    setAside.push(...report.setAside);
    notes.push(...(report.notes ?? []));
  }
  const known = acknowledgedRows(overview.tags);
  const acknowledged = setAside.filter(({ target, row }) => known.has(rowId(target, row))).length;
  const left = [...targets.values()].reduce((sum, count) => sum + count.left, 0);
  return {
    secretArn: overview.arn,
    writeKey: ring.write.id,
    otherKeys: ring.others.map(({ id }) => id),
    targets: [...targets.values()],
    setAside,
    left: Math.max(0, left - acknowledged),
    notes,
  };
}

/** Where a platform holds one key, the rollout alone knows when its consumers can bear that the data moves. */
function demandInUse({ secret }: Subject, phase: string | null): void {
  const plan: Plan = plans[secret.plan];
  if (plan.stages.indexOf('reencrypt') > plan.stages.indexOf('promote') || phase !== 'introduced') return;
  throw refusal(
    `The consumers of ${secret.key} use the old key still: data that moved now would be unreadable to them.`,
    `Its rollout moves the data at the right moment: keyturn resume ${secret.key}. To look only: --dry-run or --verify.`,
  );
}

function hooksOf({ secret }: Subject, { kinds }: DataPorts): BoundReencryption[] {
  return secret.reencryptions.map(({ kind, members }) => {
    const bound = kinds.get(kind)?.bind(members);
    if (bound?.ok) return bound.hook;
    throw new KeyturnError({ code: 'Internal', message: `The re-encryption ${kind} cannot be connected.` });
  });
}

async function toTheEnd(
  hook: BoundReencryption,
  about: Omit<Slice, 'cursor'>,
  work: Work,
  { clock }: OperatorPorts,
  { credential, progress }: DataPorts,
): Promise<SliceReport> {
  let cursor: string | null = null;
  for (;;) {
    const end = clock.now().getTime() + sliceTime;
    const ports: ReencryptPorts = {
      clock,
      credential,
      progress,
      log: () => {},
      remaining: () => Math.max(0, end - clock.now().getTime()),
    };
    const slice = { ...about, cursor };
    const report: SliceReport = await (work === 'verify' ? hook.count(slice, ports) : hook.run(slice, ports));
    progress(report);
    if (report.finished) return report;
    cursor = report.cursor;
  }
}
