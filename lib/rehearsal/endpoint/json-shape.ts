/** Reading members of JSON whose shape is not known: what is missing or of another type is undefined or empty. */

import type { Json, JsonObject } from './wire.ts';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

/** CloudFormation and IAM take one value where a list is meant. */
export const listOf = (value: Json | undefined): readonly Json[] =>
  value === undefined ? [] : isList(value) ? value : [value];

export const text = (value: Json | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;

export const number = (value: Json | undefined): number | undefined => {
  if (typeof value === 'number') return value;
  // CloudFormation carries numbers as text where a parameter or CDK wrote them so.
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
};

export const texts = (value: Json | undefined): string[] =>
  listOf(value).filter((one): one is string => typeof one === 'string');

export const objects = (value: Json | undefined): JsonObject[] => listOf(value).filter(isObject);

export const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

/** The value at `$.a.b[0]`; undefined where there is none. */
export function atPath(value: Json, jsonPath: string): Json | undefined {
  const steps = jsonPath
    .replace(/^\$\.?/, '')
    .split(/[.[\]'"]+/)
    .filter((step) => step !== '');
  return steps.reduce<Json | undefined>((here, step) => {
    if (isList(here)) return here[Number(step)];
    return isObject(here) ? here[step] : undefined;
  }, value);
}
