import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';
import { redacted, Sensitive } from './sensitive.ts';

/** The one member of a document that is not a variable of the platform. */
export const memoryMember = '_keyturn';

/** How far a version of an overlap is; a withdrawn one lost the new value again. */
export const Phase = z.enum(['introduced', 'promoted', 'retired', 'withdrawn']);
export type Phase = z.infer<typeof Phase>;

/**
 * What the pipeline must remember with a value: ids, never values.
 *
 * It travels as a *string* of JSON inside the document, so that a consumer which reads the whole document
 * into a map of strings (Go's `map[string]string`, External Secrets' `dataFrom.extract`) still can.
 */
const Memory = z.object({
  schema: z.literal(1),
  /** The class that made this version. */
  class: z.string(),
  /** The version under AWSCURRENT when this one was made; null for a secret's first value. */
  base: z.nullable(z.string()),
  /** Versions before `base` whose end no rollout has proven yet, youngest first. */
  unproven: z.optional(z.array(z.string())),
  /** Only for classes whose old and new value overlap: how far this version is. */
  phase: z.optional(Phase),
  /** The version that introduced the new value: all phases of one rotation name the same. */
  root: z.optional(z.string()),
  /** The operator's version that this one was copied from. */
  supplied: z.optional(z.string()),
  /** The consent that this version used up. */
  consent: z.optional(z.string()),
});
export type Memory = z.infer<typeof Memory>;

/** Environment variable name -> value, exactly as the platform reads them. */
export type Variables = ReadonlyMap<string, string>;

/**
 * The value of a secret: one flat JSON object of strings, so that ECS `valueFrom …:NAME::` and External
 * Secrets map it one to one. Members that are not Keyturn's are kept as they are.
 */
export class SecretDocument {
  readonly #variables: Variables;
  readonly #numbers: ReadonlySet<string>;
  readonly memory: Memory | null;

  /**
   * @param numbers members that were whole numbers, as the port in the documents that RDS and AWS's templates make:
   *   they are read as text and stay numbers. Default: none.
   */
  constructor(variables: Variables, memory: Memory | null, numbers: ReadonlySet<string> = new Set()) {
    this.#variables = variables;
    this.#numbers = numbers;
    this.memory = memory;
  }

  has(variable: string): boolean {
    return this.#variables.has(variable);
  }

  /** The names of the variables, in the document's order. Names are not secret. */
  names(): string[] {
    return [...this.#variables.keys()];
  }

  /** @throws KeyturnError DocumentInvalid when the document has no such variable. */
  value(variable: string): Sensitive {
    const value = this.#variables.get(variable);
    if (value === undefined) {
      throw new KeyturnError({
        code: 'DocumentInvalid',
        message: `The document must have the member ${variable}; it has ${listed(this.names())}.`,
      });
    }
    return new Sensitive(value);
  }

  /** The next version of this document: some variables replaced or added, everything else kept. */
  with(changes: Variables, memory: Memory): SecretDocument {
    return new SecretDocument(new Map([...this.#variables, ...changes]), memory, this.#numbers);
  }

  /** As Secrets Manager stores it. */
  serialise(): Sensitive {
    const members = Object.fromEntries(
      [...this.#variables].map(([name, text]) => [
        name,
        // A number that a rotation replaced by other text is a text from then on.
        this.#numbers.has(name) && String(Number(text)) === text ? Number(text) : text,
      ]),
    );
    return new Sensitive(
      JSON.stringify(
        this.memory === null ? members : { ...members, [memoryMember]: JSON.stringify(this.memory) },
      ),
    );
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `SecretDocument { ${this.names().join(', ')} }`;
  }
}

/** A document without any variable, for a secret that has no value yet. */
export function emptyDocument(): SecretDocument {
  return new SecretDocument(new Map(), null);
}

/**
 * Reads a secret's value.
 *
 * `whose` says in an error which value was bad ("the current value of secret ocore/jwt").
 *
 * @throws KeyturnError DocumentInvalid. Its message tells the kind of what was found, never its content:
 *   Node's JSON.parse quotes its input in the message of the error it throws, so that error goes no further.
 */
export function parseDocument(text: Sensitive, whose: string): SecretDocument {
  const parsed = parseJson(text.reveal());
  if (parsed === undefined || typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new KeyturnError({
      code: 'DocumentInvalid',
      message: `${whose} must be a JSON object of strings; it is ${kindOf(parsed)}.`,
      hint: 'Store it as {"VARIABLE_NAME": "value"}, with the names that the platform reads.',
    });
  }
  const variables = new Map<string, string>();
  const numbers = new Set<string>();
  let memory: Memory | null = null;
  for (const [name, value] of Object.entries(parsed)) {
    if (Number.isSafeInteger(value)) {
      variables.set(name, String(value));
      numbers.add(name);
      continue;
    }
    if (typeof value !== 'string') {
      throw new KeyturnError({
        code: 'DocumentInvalid',
        message: `${whose}: the member ${printableName(name)} must be a string; it is ${kindOf(value)}.`,
      });
    }
    if (name === memoryMember) memory = parseMemory(value, whose);
    else variables.set(name, value);
  }
  return new SecretDocument(variables, memory, numbers);
}

/**
 * One member of a secret that is not ours to shape: beside a password, RDS keeps the port as a number.
 *
 * @throws KeyturnError DocumentInvalid when there is no such member, or it is no string.
 */
export function memberOf(text: Sensitive, member: string, whose: string): Sensitive {
  const parsed = parseJson(text.reveal());
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const found =
    isObject && Object.hasOwn(parsed, member) ? new Map(Object.entries(parsed)).get(member) : null;
  if (typeof found === 'string') return new Sensitive(found);
  const what = !isObject
    ? `it is ${kindOf(parsed)}`
    : found === null
      ? 'it has none'
      : `it is ${kindOf(found)}`;
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `${whose} must be a JSON object in which ${printableName(member)} is a string; ${what}.`,
  });
}

function parseMemory(text: string, whose: string): Memory {
  const result = Memory.safeParse(parseJson(text));
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `${whose}: the member ${memoryMember} must be what Keyturn wrote there; it has another shape.`,
    hint: `Remove the member ${memoryMember}, or restore the version that Keyturn made.`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'not JSON';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A name is printed only when it looks like a variable's: a secret pasted as a member's name is not. */
function printableName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name) ? name : 'with an unusual name';
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map(printableName).join(', ');
}
