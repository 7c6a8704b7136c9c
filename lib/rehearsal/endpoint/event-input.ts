/**
 * What a target receives: the event, a part of it, a constant, or a template filled from it.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
 */

import { atPath } from './json-shape.ts';
import type { BusEvent, Json } from './wire.ts';

export interface TargetInput {
  /** A constant JSON text. */
  readonly input?: string;
  /** `$.detail` */
  readonly inputPath?: string;
  readonly inputTransformer?: {
    readonly inputPathsMap: Readonly<Record<string, string>>;
    /** JSON, or a JSON string, with `<name>` for the values. */
    readonly inputTemplate: string;
  };
}

/** The rule's own values for a template. */
export interface RuleFacts {
  readonly ruleArn: string;
  readonly ruleName: string;
}

/** The payload as JSON text. */
export function targetPayload(target: TargetInput, event: BusEvent, rule: RuleFacts): string {
  const json: Json = { ...event };
  if (target.input !== undefined) return target.input;
  if (target.inputPath !== undefined) return JSON.stringify(atPath(json, target.inputPath) ?? null);
  if (target.inputTransformer === undefined) return JSON.stringify(json);
  const { inputPathsMap, inputTemplate } = target.inputTransformer;
  const values: Record<string, Json | undefined> = {
    'aws.events.rule-arn': rule.ruleArn,
    'aws.events.rule-name': rule.ruleName,
    'aws.events.event.ingestion-time': event.time,
    'aws.events.event': json,
    'aws.events.event.json': json,
  };
  for (const [name, path] of Object.entries(inputPathsMap)) values[name] = atPath(json, path);
  return fill(inputTemplate, values);
}

/** Within quotes a value is text, outside it is JSON; a path that found nothing leaves the empty text or null. */
function fill(template: string, values: Readonly<Record<string, Json | undefined>>): string {
  let quoted = false;
  return template.replace(/\\.|"|<([A-Za-z0-9_.-]+)>/g, (found, name: string | undefined) => {
    if (found === '"') quoted = !quoted;
    if (name === undefined || !Object.hasOwn(values, name)) return found;
    const value = values[name];
    if (!quoted) return JSON.stringify(value ?? null);
    const plain = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
    return JSON.stringify(plain).slice(1, -1);
  });
}
