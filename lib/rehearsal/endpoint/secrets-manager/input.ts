/** Typed members of an input that `validate.ts` has checked: a wrong type can no longer occur here. */
import type { Json, JsonObject } from '../wire.ts';

export function textOf(input: JsonObject, name: string): string | undefined {
  const value = input[name];
  return typeof value === 'string' ? value : undefined;
}

export function flagOf(input: JsonObject, name: string): boolean | undefined {
  const value = input[name];
  return typeof value === 'boolean' ? value : undefined;
}

export function countOf(input: JsonObject, name: string): number | undefined {
  const value = input[name];
  return typeof value === 'number' ? value : undefined;
}

export function textsOf(input: JsonObject, name: string): string[] | undefined {
  const value = input[name];
  return isList(value) ? value.filter((item) => typeof item === 'string') : undefined;
}

export function objectsOf(input: JsonObject, name: string): JsonObject[] | undefined {
  const value = input[name];
  return isList(value) ? value.filter(isObject) : undefined;
}

export function objectOf(input: JsonObject, name: string): JsonObject | undefined {
  const value = input[name];
  return isObject(value) ? value : undefined;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
