/** What a scenario says of itself. */
import type { Stage } from './acts.ts';
import type { ReportOutcome } from './report.ts';
import type { StagedSecret } from './stage-deployment.ts';

export interface Scenario {
  readonly id: string;
  readonly expected: ReportOutcome;
  /** Once a platform: on the first secret that it fits; else on every secret that it fits. */
  readonly once: boolean;
  fits(secret: StagedSecret, others: readonly StagedSecret[]): boolean;
  /** Begins the rotation. @returns its token. */
  begin(stage: Stage): Promise<string>;
  /** The other secret that it rotates, which is nobody's to follow. Left out: none. */
  readonly beside?: (stage: Stage) => Stage;
  /** Hears which step or stage runs now: a world that changes on the way. */
  onProgress?(stage: Stage, what: string): Promise<void>;
  /** What must hold at the end beside the outcome. @returns the sentence of what did not, or null. */
  verify?(stage: Stage): Promise<string | null>;
  /** True: it goes on with the rollout of the scenario before, and rotates nothing. Default: it rotates. */
  readonly resumes?: boolean;
  /** What a person does afterwards to leave the secret as it was. */
  readonly clear: ((stage: Stage) => Promise<void>) | null;
}
