/**
 * Lambda, as far as configurations go: functions whose updates take time or fail, the execution environments
 * that they leave behind, and aliases. REST with JSON, unlike the rest of the endpoint.
 *
 * Left out: code, published versions themselves, invocations over the API, everything that creates or deletes.
 * Shapes and errors: https://docs.aws.amazon.com/lambda/latest/api/
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { arn } from './arn.ts';
import { isObject, text } from './json-shape.ts';
import type { JsonObject, WorldClock } from './wire.ts';
import { AwsError } from './wire.ts';

export interface FunctionDefinition {
  readonly name: string;
  /** Default: none. */
  readonly description?: string;
  /** Seconds that one invocation may run. Default: 3. */
  readonly timeoutSeconds?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds that an update takes. Default: 1,000. */
  readonly updateMs?: number;
  /** Alias -> version. Default: none. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** One execution environment: it has read its values when it started. */
export interface ExecutionEnvironment {
  readonly startedAt: number;
  /** When its last invocation ends. */
  busyUntil: number;
  /** False: it gets no more invocations. */
  current: boolean;
}

interface LambdaFunction {
  readonly definition: FunctionDefinition;
  description: string;
  revision: string;
  modifiedAt: number;
  update: { status: 'Successful' | 'InProgress' | 'Failed'; reason?: string };
  environments: ExecutionEnvironment[];
}

/** A page of ListAliases. The real one has 50; a small page shows that the next one is asked for. */
const aliasesPerPage = 2;

export class FunctionConfigurations {
  readonly #clock: WorldClock;
  readonly #functions = new Map<string, LambdaFunction>();
  readonly #failures: string[] = [];

  constructor(clock: WorldClock) {
    this.#clock = clock;
  }

  define(definition: FunctionDefinition): void {
    this.#functions.set(definition.name, {
      definition,
      description: definition.description ?? '',
      revision: randomUUID(),
      modifiedAt: this.#clock.now(),
      update: { status: 'Successful' },
      environments: [],
    });
  }

  /** The next update ends with this reason. May be called several times, for as many updates. */
  failNextUpdate(reason: string): void {
    this.#failures.push(reason);
  }

  /** Runs an invocation of so many milliseconds, in a free environment or a new one. */
  invoke(name: string, milliseconds: number): void {
    const now = this.#clock.now();
    const { environments } = this.#function(name);
    const free = environments.find(({ current, busyUntil }) => current && busyUntil <= now);
    if (free === undefined)
      environments.push({ startedAt: now, busyUntil: now + milliseconds, current: true });
    else free.busyUntil = now + milliseconds;
  }

  /** What can still run code: environments that get invocations, and those that end their last one. */
  environments(name: string): readonly ExecutionEnvironment[] {
    const now = this.#clock.now();
    return this.#function(name).environments.filter(({ current, busyUntil }) => current || busyUntil > now);
  }

  /** An update by somebody else, over another door. */
  changeByOthers(name: string, description: string): void {
    this.#update(this.#function(name), description);
  }

  description(name: string): string {
    return this.#function(name).description;
  }

  /** Answers one request of the REST API; a `fallback` of the JSON server. */
  async answer(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
    try {
      write(response, 200, this.#handle(request, body), {});
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      write(
        response,
        error.status,
        { Type: 'User', message: error.message },
        { 'x-amzn-ErrorType': error.code },
      );
    }
  }

  #handle(request: IncomingMessage, body: string): JsonObject {
    const url = new URL(request.url ?? '/', 'http://lambda');
    const [, name = '', what] = /^\/2015-03-31\/functions\/([^/]+)\/([a-z]+)$/.exec(url.pathname) ?? [];
    const found = this.#function(decodeURIComponent(name));
    switch (`${request.method} ${what}`) {
      case 'GET configuration':
        return this.#shape(found);
      case 'PUT configuration':
        return this.#updateConfiguration(found, body);
      case 'GET aliases':
        return aliases(found, Number(url.searchParams.get('Marker') ?? '0'));
      default:
        throw new AwsError('UnknownOperationException', 'Not found.', 404);
    }
  }

  #function(name: string): LambdaFunction {
    const found = this.#functions.get(name);
    if (found === undefined) {
      const wanted = arn('lambda', `function:${name}`);
      throw new AwsError('ResourceNotFoundException', `Function not found: ${wanted}`, 404);
    }
    return found;
  }

  #updateConfiguration(found: LambdaFunction, body: string): JsonObject {
    const parsed: unknown = JSON.parse(body);
    const input = isObject(parsed) ? parsed : {};
    const unknown = Object.keys(input).find((member) => !['Description', 'RevisionId'].includes(member));
    if (unknown !== undefined) {
      throw new AwsError('InvalidParameterValueException', `the rehearsal does not update ${unknown}`);
    }
    const description = text(input.Description) ?? found.description;
    if (description.length > 256) throw new AwsError('ValidationException', 'Description is too long.');
    if (found.update.status === 'InProgress') {
      throw new AwsError('ResourceConflictException', 'An update is in progress for the function.', 409);
    }
    if (input.RevisionId !== undefined && input.RevisionId !== found.revision) {
      throw new AwsError('PreconditionFailedException', 'The Revision Id provided does not match.', 412);
    }
    this.#update(found, description);
    return this.#shape(found);
  }

  #update(found: LambdaFunction, description: string): void {
    found.description = description;
    found.revision = randomUUID();
    found.modifiedAt = this.#clock.now();
    found.update = { status: 'InProgress' };
    this.#clock.after(found.definition.updateMs ?? 1_000, () => {
      const reason = this.#failures.shift();
      found.revision = randomUUID();
      found.update = reason === undefined ? { status: 'Successful' } : { status: 'Failed', reason };
      if (reason !== undefined) return;
      for (const environment of found.environments) environment.current = false;
    });
  }

  #shape({ definition, ...found }: LambdaFunction): JsonObject {
    return {
      FunctionName: definition.name,
      FunctionArn: arn('lambda', `function:${definition.name}`),
      Description: found.description,
      // Lambda's own form: an offset without a colon.
      LastModified: new Date(found.modifiedAt).toISOString().replace('Z', '+0000'),
      LastUpdateStatus: found.update.status,
      ...(found.update.reason === undefined ? {} : { LastUpdateStatusReason: found.update.reason }),
      RevisionId: found.revision,
      State: 'Active',
      Timeout: definition.timeoutSeconds ?? 3,
      Version: '$LATEST',
      Environment: { Variables: { ...definition.environment } },
    };
  }
}

function aliases({ definition }: LambdaFunction, from: number): JsonObject {
  const all = Object.entries(definition.aliases ?? {}).map(([Name, FunctionVersion]) => ({
    Name,
    FunctionVersion,
    AliasArn: arn('lambda', `function:${definition.name}:${Name}`),
  }));
  const next = from + aliasesPerPage;
  return {
    Aliases: all.slice(from, next),
    ...(next < all.length ? { NextMarker: String(next) } : {}),
  };
}

function write(
  response: ServerResponse,
  status: number,
  body: JsonObject,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-amzn-RequestId': randomUUID(),
    ...headers,
  });
  response.end(JSON.stringify(body));
}
