/** GetRandomPassword (AWS API reference; the refusal of a short length is moto's text). */
import { AwsError } from '../wire.ts';
import type { Operation, Randomness } from './core.ts';
import { countOf, flagOf, textOf } from './input.ts';

const lowercase = 'abcdefghijklmnopqrstuvwxyz';
const uppercase = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const numbers = '0123456789';
const punctuation = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

export const getRandomPassword: Operation = (core, input) => {
  const length = countOf(input, 'PasswordLength') ?? 32;
  const excluded = textOf(input, 'ExcludeCharacters') ?? '';
  const types = [
    flagOf(input, 'ExcludeLowercase') ? '' : lowercase,
    flagOf(input, 'ExcludeUppercase') ? '' : uppercase,
    flagOf(input, 'ExcludeNumbers') ? '' : numbers,
    flagOf(input, 'ExcludePunctuation') ? '' : punctuation,
    flagOf(input, 'IncludeSpace') ? ' ' : '',
  ]
    .map((type) => [...type].filter((character) => !excluded.includes(character)))
    .filter((type) => type.length > 0);
  if (types.length === 0) throw tooShort();

  const each = flagOf(input, 'RequireEachIncludedType') ?? true;
  if (each && length < types.length) throw tooShort();
  const all = types.flat();
  const characters = each ? types.map((type) => pick(core.random, type)) : [];
  while (characters.length < length) characters.push(pick(core.random, all));
  return { RandomPassword: shuffled(core.random, characters).join('') };
};

function shuffled(random: Randomness, items: readonly string[]): string[] {
  const rest = [...items];
  const result: string[] = [];
  while (rest.length > 0) result.push(...rest.splice(below(random, rest.length), 1));
  return result;
}

function pick(random: Randomness, from: readonly string[]): string {
  return from[below(random, from.length)] ?? '';
}

/** A number from 0 up to `limit`, exclusive. What does not divide evenly is thrown away, so all are equally likely. */
function below(random: Randomness, limit: number): number {
  const fair = 65_536 - (65_536 % limit);
  for (;;) {
    const [high = 0, low = 0] = random.bytes(2);
    const drawn = high * 256 + low;
    if (drawn < fair) return drawn % limit;
  }
}

function tooShort(): AwsError {
  return new AwsError(
    'InvalidParameterException',
    'Password length is too short based on the required types.',
  );
}
