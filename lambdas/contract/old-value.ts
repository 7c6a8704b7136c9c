import type { SecretDocument } from './document.ts';
import type { Moment, TargetPorts, Use } from './target.ts';

/** What becomes of an old value at its target. */
export interface OldValueContext<Options> extends TargetPorts {
  readonly options: Options;
  /** The current document. */
  readonly document: SecretDocument;
  /** One that was current before it. */
  readonly old: SecretDocument;
  /** When the new one became current. */
  readonly since: Moment;
}

export type MarkContext<Options> = Pick<OldValueContext<Options>, 'options' | 'document' | keyof TargetPorts>;

/** For classes whose old value goes on working at its target until it is taken away there. */
export interface OldValue<Options> {
  /** Where the target's sessions stand, as `Target.mark` says it; null: nothing to note. */
  mark(context: MarkContext<Options>): Promise<string | null>;
  /** Who still uses it; empty: nobody. */
  uses(context: OldValueContext<Options>): Promise<readonly Use[]>;
  /**
   * Minutes after `since` from which on `endUses` ends what still uses the old value; null: never, a person has to.
   */
  patienceMinutes(options: Options): number | null;
  endUses(context: OldValueContext<Options>): Promise<void>;
  /** Makes the target refuse the old value. The same again changes nothing. */
  disable(context: OldValueContext<Options>): Promise<void>;
}

/** The same with the options bound. */
export interface BoundOldValue {
  /** @param document the current one */
  mark(document: SecretDocument): Promise<string | null>;
  uses(documents: OldValueDocuments): Promise<readonly Use[]>;
  patienceMinutes(): number | null;
  endUses(documents: OldValueDocuments): Promise<void>;
  disable(documents: OldValueDocuments): Promise<void>;
}

type OldValueDocuments = Pick<OldValueContext<unknown>, 'document' | 'old' | 'since'>;

export function boundOldValue<Options>(
  oldValue: OldValue<Options>,
  options: Options,
  ports: TargetPorts,
): BoundOldValue {
  const given = (documents: OldValueDocuments) => ({ ...documents, ...ports, options });
  return {
    mark: (document) => oldValue.mark({ document, ...ports, options }),
    uses: (documents) => oldValue.uses(given(documents)),
    patienceMinutes: () => oldValue.patienceMinutes(options),
    endUses: (documents) => oldValue.endUses(given(documents)),
    disable: (documents) => oldValue.disable(given(documents)),
  };
}
