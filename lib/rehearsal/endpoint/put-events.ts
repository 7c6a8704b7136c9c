/**
 * The entries of PutEvents: the request as a whole fails, or single entries do.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
 */

import { lastPart } from './arn.ts';
import { isObject, objects, text, texts } from './json-shape.ts';
import type { BusEvent, Json, JsonObject } from './wire.ts';
import { AwsError } from './wire.ts';

export interface AcceptedEntry {
  readonly busName: string;
  readonly event: Pick<BusEvent, 'source' | 'detail-type' | 'resources' | 'detail'>;
}

export interface RefusedEntry {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

const entriesPerCall = 10;
const requestLimitBytes = 1_048_576;

/** @throws AwsError ValidationException when there are no entries, more than ten, or 1 MB of them */
export function readEntries(input: JsonObject): (AcceptedEntry | (RefusedEntry & JsonObject))[] {
  const entries = objects(input.Entries);
  if (entries.length < 1 || entries.length > entriesPerCall) {
    const bound =
      entries.length < 1 ? 'greater than or equal to 1' : `less than or equal to ${entriesPerCall}`;
    throw new AwsError(
      'ValidationException',
      `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length ${bound}`,
    );
  }
  if (Buffer.byteLength(JSON.stringify(entries)) >= requestLimitBytes) {
    throw new AwsError('ValidationException', 'Total size of the entries in the request is over the limit.');
  }
  return entries.map(readEntry);
}

function readEntry(entry: JsonObject): AcceptedEntry | (RefusedEntry & JsonObject) {
  const missing = ['Source', 'DetailType', 'Detail'].find((name) => (text(entry[name]) ?? '') === '');
  if (missing !== undefined) {
    const ErrorMessage = `Parameter ${missing} is not valid. Reason: ${missing} is a required argument.`;
    return { ErrorCode: 'InvalidArgument', ErrorMessage };
  }
  const source = text(entry.Source) ?? '';
  if (source.startsWith('aws.')) {
    return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  }
  const detail = parsed(text(entry.Detail) ?? '');
  if (!isObject(detail)) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  return {
    busName: lastPart(text(entry.EventBusName) ?? 'default'),
    event: { source, 'detail-type': text(entry.DetailType) ?? '', resources: texts(entry.Resources), detail },
  };
}

function parsed(json: string): Json | undefined {
  try {
    return JSON.parse(json) as Json;
  } catch {
    return undefined;
  }
}
