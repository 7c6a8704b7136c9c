import * as z from 'zod/mini';
import type { Variables } from '../contract/document.ts';
import { checkRules, Format, generate, generatedLength, Rules } from '../contract/format.ts';
import type { Random } from '../contract/ports.ts';

/** The options of every class whose value Keyturn itself makes at random. */
export const generatedValue = {
  /** The variable that the platform reads. */
  variable: z.string(),
  /** How a new value is made. */
  format: Format,
  /** What the platform takes. Default: anything that is not empty. */
  rules: z._default(Rules, { minimumLength: 1, forbidden: [] }),
};

export interface GeneratedValue {
  readonly variable: string;
  readonly format: Format;
  readonly rules: Rules;
}

/** @returns the sentence when the format makes values that the rules would refuse; else null. */
export function formatBreaksRules({ format, rules }: GeneratedValue): string | null {
  const length = generatedLength(format);
  return length < rules.minimumLength
    ? `options.format makes ${length} characters; options.rules.minimumLength asks for ${rules.minimumLength}.`
    : null;
}

/** A new value under the variable's name and under each of the further names. */
export function newValue(options: GeneratedValue, random: Random, copies: readonly string[] = []): Variables {
  const value = generate(options.format, random);
  checkRules(options.variable, value, options.rules);
  return new Map([options.variable, ...copies].map((name) => [name, value.reveal()]));
}
