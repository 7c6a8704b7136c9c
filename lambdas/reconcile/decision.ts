import type { FindingId } from './findings.ts';
import type { Observed } from './observed.ts';

/** What a rollout needs to know that nobody started, or that was stopped from outside. */
export interface Publication {
  readonly versionId: string;
  /** The version that was current before; null for a secret's first value. */
  readonly previousVersionId: string | null;
  /** Where a roll-back leads. Left out: to `previousVersionId`. */
  readonly lastProvenVersionId?: string;
  readonly publishedAt: Date;
  /** 1 for the first execution of this version's rollout. */
  readonly attempt: number;
}

/** What a person is told. */
export interface Finding {
  readonly finding: FindingId;
  readonly sentence: string;
  /** The version that it is about. */
  readonly versionId: string;
  /** The one command with which a person goes on. */
  readonly next: string;
}

/** What is to be done about a secret, in a sentence for the operator. */
export type Objection =
  | { readonly is: 'nothing'; readonly sentence: string }
  | { readonly is: 'start'; readonly sentence: string; readonly state: Publication }
  /** Take AWSPENDING from this version. */
  | { readonly is: 'drop'; readonly sentence: string; readonly versionId: string }
  /** Note since when this version has been pending: nothing else dates it. */
  | { readonly is: 'mark'; readonly sentence: string; readonly versionId: string }
  | ({ readonly is: 'tell' } & Finding);

export interface Check {
  readonly id: string;
  /** @returns null when the check has no objection. */
  objects(about: Observed): Objection | null;
}
