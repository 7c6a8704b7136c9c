/** The result of a rehearsal as data: what `--json` writes and the table prints. It holds no value of a secret. */

export const outcomes = ['completed', 'rolled-back', 'stalled', 'refused'] as const;
export type ReportOutcome = (typeof outcomes)[number];

export interface ReportStage {
  /** A step of the four, or a stage of the plan; in the order in which they ran. */
  readonly name: string;
  /** Wall time, retries included. */
  readonly seconds: number;
}

/** One rotation of one secret. Null: does not apply to the class, or was never reached. */
export interface ReportSecret {
  readonly platform: string;
  /** The secret's key in the deployment file. */
  readonly secret: string;
  readonly class: string;
  /** `rotate`: the plain rotation. Others name the fault that was staged, or how it was begun. */
  readonly scenario: string;
  readonly expected: ReportOutcome;
  readonly outcome: ReportOutcome;
  readonly stages: readonly ReportStage[];
  /** Calls of the four steps together. */
  readonly secretsManagerCalls: number | null;
  /** Requests to the platform while the rotation went on; refusals of a declared cutover are not failed. */
  readonly requests: { readonly total: number; readonly failed: number } | null;
  readonly rowsReencrypted: number | null;
  /** Rows under the old key at the end. */
  readonly rowsLeft: number | null;
  /** Whether the old value was probed and refused at the end. */
  readonly oldValueRefused: boolean | null;
  /** Longest time for which a client's current credential did not work. */
  readonly gapSeconds: number | null;
  /** Of a login at a database: statements on sessions that were open. */
  readonly statements: { readonly total: number; readonly failed: number } | null;
  /** Of a login at a database: new sessions of the consumers. `inGap`: refused where its strategy says that they are. */
  readonly logins: { readonly total: number; readonly failed: number; readonly inGap: number } | null;
  /** Why it was refused or stalled, for the last lines of a rehearsal. No member of the file. */
  readonly why?: string | null;
}

export interface ReportRule {
  /** Number in section 4 of the design. */
  readonly id: number;
  readonly held: boolean;
  /** What was looked at and what it showed, in a few words. */
  readonly evidence: string;
}

export interface Report {
  /** Gives the same values again: `--seed`. */
  readonly seed: number;
  /** Wall time of the whole rehearsal. */
  readonly seconds: number;
  readonly secrets: readonly ReportSecret[];
  readonly rules: readonly ReportRule[];
  /** Sentences for the reader of the table; not part of the file. Default: none. */
  readonly notes?: readonly string[];
}

/** What must never break (design, section 4), as the last lines of a rehearsal say it. */
export const ruleTexts: ReadonlyMap<number, string> = new Map([
  [1, 'the current value works at its target'],
  [2, 'no key is gone before nothing is left under it'],
  [3, 'after completion the old value is dead'],
  [4, 'no value is where it must not be'],
  [5, 'crashes and repeats end in a defined state'],
  [6, 'a failed rotation changes no consumer'],
  [7, 'a guarded secret rotates with consent only'],
  [8, 'nothing rotates because it was deployed'],
  [9, 'bad input is refused before anything changes'],
]);

/** Everything that went otherwise than it should, one sentence each; none: the rehearsal passed. */
export function broken(report: Report): readonly string[] {
  return [
    ...report.secrets
      .filter(({ outcome, expected }) => outcome !== expected)
      .map(
        ({ platform, secret, scenario, outcome, expected, why = null }) =>
          `${platform} ${secret} (${scenario}) ended ${outcome}; expected was ${expected}.${why === null ? '' : ` ${why}`}`,
      ),
    ...report.rules
      .filter(({ held }) => !held)
      .map(({ id, evidence }) => `Rule ${id} (${ruleTexts.get(id) ?? 'unknown'}) broke: ${evidence}.`),
    // A run that rotated nothing has shown nothing, whatever its rules say.
    ...(report.secrets.length === 0 ? ['No secret was rotated.'] : []),
  ];
}

/**
 * The file that `--json` writes: these members, in this order, and no others, so that whatever an object
 * carries beside them stays out.
 */
export function serialised(report: Report): string {
  const { seed, seconds, secrets, rules } = report;
  const json = {
    seed,
    seconds,
    secrets: secrets.map((row) => ({
      platform: row.platform,
      secret: row.secret,
      class: row.class,
      scenario: row.scenario,
      expected: row.expected,
      outcome: row.outcome,
      stages: row.stages.map(({ name, seconds }) => ({ name, seconds })),
      secretsManagerCalls: row.secretsManagerCalls,
      requests: row.requests === null ? null : { total: row.requests.total, failed: row.requests.failed },
      rowsReencrypted: row.rowsReencrypted,
      rowsLeft: row.rowsLeft,
      oldValueRefused: row.oldValueRefused,
      gapSeconds: row.gapSeconds,
      statements:
        row.statements === null ? null : { total: row.statements.total, failed: row.statements.failed },
      logins:
        row.logins === null
          ? null
          : { total: row.logins.total, failed: row.logins.failed, inGap: row.logins.inGap },
    })),
    rules: rules.map(({ id, held, evidence }) => ({ id, held, evidence })),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}
