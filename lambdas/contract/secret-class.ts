import type * as z from 'zod/mini';
import type { Credential } from './credential.ts';
import { brokenRules } from './deployment.ts';
import type { SecretDocument, Variables } from './document.ts';
import { KeyturnError } from './errors.ts';
import type { IamStatement } from './hooks.ts';
import { type BoundOldValue, boundOldValue, type OldValue } from './old-value.ts';
import { type BoundPhases, boundPhases, type Phases } from './phases.ts';
import type { PlanId } from './plan.ts';
import type { Random } from './ports.ts';
import { type Engine, noTarget, type TargetLogin, type TargetPorts } from './target.ts';

/** An IAM action on the secret itself, beyond the four that every rotation needs. */
export type SecretAction = `secretsmanager:${string}`;

export interface CreateContext<Options> {
  readonly options: Options;
  /** The document under AWSCURRENT; null for a secret's first value. */
  readonly current: SecretDocument | null;
  /** What an operator supplied, for classes that ask for it; null when nobody did. */
  readonly supplied: SecretDocument | null;
  readonly random: Random;
}

export interface TestContext<Options> extends TargetPorts {
  readonly options: Options;
  /** The document to be tested. In a preflight it is a copy of the current one. */
  readonly document: SecretDocument;
}

/** What setSecret works with, beside the options and the target. */
export interface SetDocuments {
  /** The pending document. */
  readonly document: SecretDocument;
  /** The one that it was made from; null for a secret's first value. */
  readonly current: SecretDocument | null;
  /**
   * Documents that were current before, youngest first: what may still work where the current one does not.
   * They are read when they are asked for.
   */
  earlier(): AsyncIterable<SecretDocument>;
}

/** What a class of data keys asks of a deployment. */
export type Reencryption =
  /** The deployment must say how the stored data is moved. */
  | 'required'
  /** Where the deployment does not say it, the secret is handled as one of class `guarded`. */
  | 'or-guarded';

/** What follows the four steps, and how abrupt it is: for a class as a whole, or as its options say. */
export interface Way {
  readonly plan: PlanId;
  /** True when a rotation ends sessions or tokens at once: between old and new there is no overlap. */
  readonly cutover: boolean;
  /** True when moving AWSCURRENT back restores the previous value: no target outside has to be told. */
  readonly restorable: boolean;
}

/** A login that a class uses, read when it is asked for. */
export interface NamedLogin {
  /** What it is of: `current value`, `administrator`. */
  readonly of: string;
  /** @throws KeyturnError when what it is made of cannot be read. */
  login(): Promise<TargetLogin>;
}

/** What setSecret found at the target. */
export type SetOutcome =
  /** The target refused the pending value before, and accepts it now. */
  | 'changed'
  /** An earlier try had got as far as the target. */
  | 'found';

/** When a class rotates. */
export type Admission =
  /** By schedule and on demand. */
  | 'free'
  /** On demand only. */
  | 'on-demand'
  /** On demand, and only with a person's consent that has not expired. */
  | 'guarded'
  /** Never by Keyturn: the service that manages the secret rotates it, and the rollout follows. */
  | 'elsewhere';

/**
 * How one kind of secret rotates. One file declares one; the steps and stages ask it, and never look at
 * its id.
 */
export interface SecretClass<Options = unknown> extends Way {
  /** Equal to the name of its file. */
  readonly id: string;
  /** What the four steps do for it: the README's table. */
  readonly steps: string;
  readonly admission: Admission;
  /** What these options change of the class's way. Default: nothing. */
  way?(options: Options): Partial<Way>;
  /** The plans that `way` may name beside the usual one: the README's table. Default: none. */
  readonly otherPlans?: readonly PlanId[];
  /** True when the value comes from a person: create copies the version that waits under a label. */
  readonly supplied: boolean;
  /** The kind of server that set and test log in to: their functions are given a way to it. Default: none. */
  engine?(options: Options): Engine;
  /** What its way to that server takes of AWS, beyond the network. Default: nothing. */
  statements?(options: Options): readonly IamStatement[];
  /** Members of other secrets that `credential` will be asked for. Default: none. */
  credentials?(options: Options): readonly Credential[];
  /** Only for data keys: whether the deployment must say how the stored data is moved. */
  readonly reencryption?: Reencryption;
  /** IAM actions on its own secrets beyond describe, read, write and move. */
  readonly actions: readonly SecretAction[];
  readonly options: z.ZodMiniType<Options>;
  /**
   * Rules between options that a schema cannot say.
   * @returns the sentence of the first broken rule, or null.
   */
  check(options: Options): string | null;
  /** The variables of the document that belong to this class, the chief one first. */
  variables(options: Options): readonly [string, ...string[]];
  /** What will break when this secret rotates; null when nothing does. Shown when consent is asked for. */
  breaks(options: Options): string | null;

  /** createSecret: the members that change. May run twice; only the first answer is stored. */
  create(context: CreateContext<Options>): Promise<Variables>;
  /** setSecret: makes the target accept the pending document. Null for values that only we generate. */
  readonly set: ((context: TestContext<Options> & SetDocuments) => Promise<SetOutcome>) | null;
  /**
   * testSecret: proves the document without side effects. Must also pass on a copy of the current value,
   * because Secrets Manager runs it alone when a schedule is saved.
   */
  test(context: TestContext<Options>): Promise<void>;
  /**
   * Part of testSecret, for classes whose values go on serving what the current value made: proves that the
   * pending document can still read it. Left out: nothing is read, and the current value is not fetched.
   */
  keeps?(context: TestContext<Options> & { readonly current: SecretDocument }): Promise<void>;
  /**
   * Whether the target accepts a document: what `prove` asks of the new and of the old value. Left out: the
   * deployment's probe tells.
   * @throws KeyturnError when that cannot be known.
   */
  accepts?(context: TestContext<Options>): Promise<boolean>;
  /**
   * The logins that set and test use, as the current document makes them: what a preflight tries. Left out: it tests
   * the document alone.
   */
  logins?(context: TestContext<Options>): readonly NamedLogin[];
  /** Left out: the new value replaces the old one at once. */
  readonly phases?: Phases<Options>;
  /** Left out: there is nothing to take away at a target. */
  readonly oldValue?: OldValue<Options>;
}

/**
 * A class whose options have been checked and bound: what the steps work with. Binding in one place keeps
 * the type of the options inside the class's own file.
 */
export interface BoundClass {
  readonly id: string;
  readonly supplied: boolean;
  readonly admission: Admission;
  breaks(): string | null;
  variables(): readonly [string, ...string[]];
  create(context: Omit<CreateContext<unknown>, 'options'>): Promise<Variables>;
  readonly set: ((documents: SetDocuments) => Promise<SetOutcome>) | null;
  test(document: SecretDocument): Promise<void>;
  readonly keeps: ((context: { document: SecretDocument; current: SecretDocument }) => Promise<void>) | null;
  readonly accepts: ((document: SecretDocument) => Promise<boolean>) | null;
  /** Empty: it logs in nowhere. */
  logins(document: SecretDocument): readonly NamedLogin[];
  readonly phases: BoundPhases | null;
  readonly oldValue: BoundOldValue | null;
}

/** What a declared class offers once the type of its options is closed over. */
export interface ClassDefinition {
  readonly id: string;
  readonly steps: string;
  /** The way that it goes where its options do not say otherwise. */
  readonly usual: Way;
  /** Every plan that it may have, the usual one first. */
  readonly plans: readonly [PlanId, ...PlanId[]];
  readonly admission: Admission;
  readonly supplied: boolean;
  /** Null: no stored data is encrypted with secrets of this class. */
  readonly reencryption: Reencryption | null;
  readonly actions: readonly SecretAction[];
  /** Whether it logs in to servers at all. */
  readonly usesTarget: boolean;
  /** What follows the four steps under these options. */
  way(options: unknown): Way;
  /** The kind of server that it logs in to under these options; null: none. */
  engine(options: unknown): Engine | null;
  /** What its way to that server takes of AWS under these options. */
  statements(options: unknown): readonly IamStatement[];
  /** Members of other secrets that it reads under these options. */
  credentials(options: unknown): readonly Credential[];
  /** The options after defaults, or the sentences of the rules that they break. */
  parse(
    options: unknown,
  ):
    | { readonly ok: true; readonly options: unknown }
    | { readonly ok: false; readonly broken: readonly string[] };
  /**
   * @param ports Default: none; a class that needs them then says so when it is asked to set or test.
   * @throws KeyturnError DeploymentInvalid when the options break a rule.
   */
  bind(options: unknown, ports?: TargetPorts): BoundClass;
}

/** Declares a class: what a class's file exports. */
export function defineClass<Options>(declared: SecretClass<Options>): ClassDefinition {
  const { id, steps, plan, admission, cutover, supplied, restorable, actions } = declared;
  const usual: Way = { plan, cutover, restorable };

  function parse(options: unknown) {
    const result = declared.options.safeParse(options);
    if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, options) } as const;
    const broken = declared.check(result.data);
    return broken === null
      ? ({ ok: true, options: result.data } as const)
      : ({ ok: false, broken: [broken] } as const);
  }

  function demanded(input: unknown): Options {
    const result = parse(input);
    if (result.ok) return result.options;
    throw new KeyturnError({ code: 'DeploymentInvalid', message: `options: ${result.broken.join(' ')}` });
  }

  function bind(input: unknown, ports: TargetPorts = noTarget): BoundClass {
    const options = demanded(input);
    const { set, keeps, phases, accepts, oldValue } = declared;
    return {
      id,
      supplied,
      admission,
      breaks: () => declared.breaks(options),
      variables: () => declared.variables(options),
      create: (context) => declared.create({ ...context, options }),
      set: set === null ? null : (documents) => set({ ...documents, ...ports, options }),
      test: (document) => declared.test({ ...ports, options, document }),
      keeps: keeps === undefined ? null : (context) => keeps({ ...context, ...ports, options }),
      accepts: accepts === undefined ? null : (document) => accepts({ ...ports, options, document }),
      logins: (document) => declared.logins?.({ ...ports, options, document }) ?? [],
      phases: phases === undefined ? null : boundPhases(phases, options),
      oldValue: oldValue === undefined ? null : boundOldValue(oldValue, options, ports),
    };
  }

  const { reencryption = null } = declared;
  return {
    id,
    steps,
    usual,
    plans: [plan, ...(declared.otherPlans ?? [])],
    admission,
    supplied,
    reencryption,
    actions,
    usesTarget: declared.engine !== undefined,
    way: (options) => ({ ...usual, ...declared.way?.(demanded(options)) }),
    engine: (options) => declared.engine?.(demanded(options)) ?? null,
    statements: (options) => declared.statements?.(demanded(options)) ?? [],
    credentials: (options) => declared.credentials?.(demanded(options)) ?? [],
    parse,
    bind,
  };
}
