import type * as z from 'zod/mini';
import type { KeyRing } from './ciphers.ts';
import { brokenRules } from './deployment.ts';
import type { Phase, SecretDocument, Variables } from './document.ts';
import { KeyturnError } from './errors.ts';
import type { PlanId } from './plan.ts';
import type { Random } from './ports.ts';
import { noTarget, type Target } from './target.ts';

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

export interface TestContext<Options> {
  readonly options: Options;
  /** The document to be tested. In a preflight it is a copy of the current one. */
  readonly document: SecretDocument;
  /** The server that keeps the password, for classes that have one. */
  readonly target: Target;
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

/**
 * For classes whose old and new value overlap: create introduces the new one beside the old, and the rollout
 * publishes the phases that follow. Each is a pure function of the document before it, so that a stage that
 * runs twice writes the same.
 */
export interface Phases<Options> {
  /** The new value is used, the old one still accepted. */
  promote(options: Options, document: SecretDocument): Variables;
  /** The old one is gone. */
  retire(options: Options, document: SecretDocument): Variables;
  /** Seconds from the moment that every consumer uses the new value until nothing of the old is alive. */
  holdSeconds(options: Options): number;
  /** The phase that create makes. Default: `introduced`. */
  first?(options: Options): Extract<Phase, 'introduced' | 'promoted'>;
  /** For keys that stored data is encrypted with. */
  readonly data?: DataKeys<Options>;
}

/** What the rollout of a data key asks its class, beside the phases. */
export interface DataKeys<Options> {
  /**
   * The key that the stored data is to be under, and every other key of the document that it may be under.
   * @param back whether the rollout goes back: the data then returns to the key that the consumers use.
   */
  ring(options: Options, document: SecretDocument, back: boolean): KeyRing;
  /** The document without the new key, which nothing needs any more: the key in use stays in use. */
  withdraw(options: Options, document: SecretDocument): Variables;
}

/** The phases with the options bound. */
export interface BoundPhases {
  promote(document: SecretDocument): Variables;
  retire(document: SecretDocument): Variables;
  holdSeconds(): number;
  first(): Extract<Phase, 'introduced' | 'promoted'>;
  /** Null: no stored data is encrypted with this secret. */
  readonly data: {
    ring(document: SecretDocument, back: boolean): KeyRing;
    withdraw(document: SecretDocument): Variables;
  } | null;
}

/** What a class of data keys asks of a deployment. */
export type Reencryption =
  /** The deployment must say how the stored data is moved. */
  | 'required'
  /** Where the deployment does not say it, the secret is handled as one of class `guarded`. */
  | 'or-guarded';

/** When a class rotates. */
export type Admission =
  /** By schedule and on demand. */
  | 'free'
  /** On demand only. */
  | 'on-demand'
  /** On demand, and only with a person's consent that has not expired. */
  | 'guarded';

/**
 * How one kind of secret rotates. One file declares one; the steps and stages ask it, and never look at
 * its id.
 */
export interface SecretClass<Options = unknown> {
  /** Equal to the name of its file. */
  readonly id: string;
  /** What the four steps do for it: the README's table. */
  readonly steps: string;
  readonly plan: PlanId;
  readonly admission: Admission;
  /** True when a rotation ends sessions or tokens at once: between old and new there is no overlap. */
  readonly cutover: boolean;
  /** True when the value comes from a person: create copies the version that waits under a label. */
  readonly supplied: boolean;
  /** True when moving AWSCURRENT back restores the previous value: no target outside has to be told. */
  readonly restorable: boolean;
  /** True when set and test log in to a server: the function is given a way to it. Default: false. */
  readonly usesTarget?: boolean;
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
  readonly set: ((context: TestContext<Options> & SetDocuments) => Promise<void>) | null;
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
  /** Left out: the new value replaces the old one at once. */
  readonly phases?: Phases<Options>;
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
  readonly set: ((documents: SetDocuments) => Promise<void>) | null;
  test(document: SecretDocument): Promise<void>;
  readonly keeps: ((context: { document: SecretDocument; current: SecretDocument }) => Promise<void>) | null;
  readonly phases: BoundPhases | null;
}

/** What a declared class offers once the type of its options is closed over. */
export interface ClassDefinition {
  readonly id: string;
  readonly steps: string;
  readonly plan: PlanId;
  readonly admission: Admission;
  readonly cutover: boolean;
  readonly supplied: boolean;
  readonly restorable: boolean;
  /** Null: no stored data is encrypted with secrets of this class. */
  readonly reencryption: Reencryption | null;
  readonly actions: readonly SecretAction[];
  readonly usesTarget: boolean;
  /** The options after defaults, or the sentences of the rules that they break. */
  parse(
    options: unknown,
  ):
    | { readonly ok: true; readonly options: unknown }
    | { readonly ok: false; readonly broken: readonly string[] };
  /**
   * @param target Default: none; a class that needs one then says so when it is asked to set or test.
   * @throws KeyturnError DeploymentInvalid when the options break a rule.
   */
  bind(options: unknown, target?: Target): BoundClass;
}

/** Declares a class: what a class's file exports. */
export function defineClass<Options>(declared: SecretClass<Options>): ClassDefinition {
  const { id, steps, plan, admission, cutover, supplied, restorable, actions } = declared;

  function parse(options: unknown) {
    const result = declared.options.safeParse(options);
    if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, options) } as const;
    const broken = declared.check(result.data);
    return broken === null
      ? ({ ok: true, options: result.data } as const)
      : ({ ok: false, broken: [broken] } as const);
  }

  function bind(input: unknown, target: Target = noTarget): BoundClass {
    const result = parse(input);
    if (!result.ok) {
      throw new KeyturnError({ code: 'DeploymentInvalid', message: `options: ${result.broken.join(' ')}` });
    }
    const { options } = result;
    const { set, keeps, phases } = declared;
    return {
      id,
      supplied,
      admission,
      breaks: () => declared.breaks(options),
      variables: () => declared.variables(options),
      create: (context) => declared.create({ ...context, options }),
      set: set === null ? null : (documents) => set({ ...documents, options, target }),
      test: (document) => declared.test({ options, document, target }),
      keeps: keeps === undefined ? null : (context) => keeps({ ...context, options, target }),
      phases: phases === undefined ? null : boundPhases(phases, options),
    };
  }

  const { reencryption = null, usesTarget = false } = declared;
  return {
    id,
    steps,
    plan,
    admission,
    cutover,
    supplied,
    restorable,
    reencryption,
    actions,
    usesTarget,
    parse,
    bind,
  };
}

function boundPhases<Options>(phases: Phases<Options>, options: Options): BoundPhases {
  const { data } = phases;
  return {
    promote: (document) => phases.promote(options, document),
    retire: (document) => phases.retire(options, document),
    holdSeconds: () => phases.holdSeconds(options),
    first: () => phases.first?.(options) ?? 'introduced',
    data:
      data === undefined
        ? null
        : {
            ring: (document, back) => data.ring(options, document, back),
            withdraw: (document) => data.withdraw(options, document),
          },
  };
}
