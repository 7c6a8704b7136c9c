import type { SecretDocument, Variables } from '../contract/document.ts';
import type { OldValue } from '../contract/old-value.ts';
import type { CreateContext, SetDocuments, SetOutcome, TestContext, Way } from '../contract/secret-class.ts';
import type { Engine } from '../contract/target.ts';
import type { Options } from './options.ts';

/** How a database credential changes at its server. */
export interface Strategy {
  readonly way: Way;
  /** The servers that have it. */
  readonly engines: readonly Engine[];
  /** True when a rotation changes the user, too. */
  readonly changesUser: boolean;
  /** What breaks when the credential rotates; null: nothing does. */
  readonly breaks: string | null;
  /** @returns the sentence of the first rule that the options break, or null. */
  check(options: Options): string | null;
  /** As the class's. The current document is there, and its copies are as they must be. */
  create(context: CreateContext<Options>, current: SecretDocument): Variables;
  set(context: TestContext<Options> & SetDocuments): Promise<SetOutcome>;
  /** Null: the old value is gone with set. */
  readonly oldValue: OldValue<Options> | null;
}
