/**
 * CodeBuild: projects whose builds go through phases, each taking its time, and end as the project's next
 * outcome says. A build is a function of the clock: nothing runs.
 *
 * Left out: sources, artifacts, logs, batches, queues, everything that creates or deletes over the API.
 * Shapes and errors: https://docs.aws.amazon.com/codebuild/latest/APIReference/
 */
import { randomUUID } from 'node:crypto';
import { arn } from './arn.ts';
import { objects, text, texts } from './json-shape.ts';
import type { JsonObject, Service, WorldClock } from './wire.ts';
import { AwsError } from './wire.ts';

export type BuildOutcome = 'SUCCEEDED' | 'FAILED' | 'FAULT' | 'TIMED_OUT';

export interface ProjectDefinition {
  readonly name: string;
  /** Plain variables of the project; a build shows them with its own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds of each phase, in order. Default: queued 1,000, provisioning 5,000, build 30,000. */
  readonly phases?: Readonly<Record<string, number>>;
  /** How the next builds end, in order; all later ones succeed. Default: none. */
  readonly outcomes?: readonly BuildOutcome[];
}

interface Build {
  readonly id: string;
  readonly number: number;
  readonly project: ProjectDefinition;
  readonly startedAt: number;
  readonly outcome: BuildOutcome;
  readonly variables: readonly JsonObject[];
  stoppedAt: number | null;
}

/** How long a token answers with the same build (API reference, StartBuild). */
const tokenLife = 5 * 60_000;
/** Ids on a page of ListBuildsForProject. */
const buildsPerPage = 100;
const usualPhases = { QUEUED: 1_000, PROVISIONING: 5_000, BUILD: 30_000 };

export class CodeBuild implements Service {
  readonly signingName = 'codebuild';
  readonly #clock: WorldClock;
  readonly #projects = new Map<string, ProjectDefinition>();
  readonly #builds: Build[] = [];
  readonly #tokens = new Map<
    string,
    { readonly at: number; readonly input: string; readonly build: Build }
  >();

  constructor(clock: WorldClock) {
    this.#clock = clock;
  }

  define(project: ProjectDefinition): void {
    this.#projects.set(project.name, project);
  }

  /** How many builds of a project were started, the foreign ones included. */
  count(project: string): number {
    return this.#builds.filter((build) => build.project.name === project).length;
  }

  /** Ends the build that runs, as a person does in the console. */
  stop(project: string): void {
    const running = this.#builds.find(
      (build) => build.project.name === project && this.#status(build) === 'IN_PROGRESS',
    );
    if (running !== undefined) running.stoppedAt = this.#clock.now();
  }

  async handle(operation: string, input: JsonObject): Promise<JsonObject> {
    switch (operation) {
      case 'StartBuild':
        return { build: this.#shape(this.#start(input)) };
      case 'BatchGetBuilds':
        return this.#batchGet(texts(input.ids));
      case 'ListBuildsForProject':
        return this.#list(input);
      default:
        throw new AwsError('UnknownOperationException', `codebuild has no operation ${operation} here`);
    }
  }

  #start(input: JsonObject): Build {
    const project = this.#project(input);
    const { idempotencyToken, ...rest } = input;
    const token = text(idempotencyToken);
    const known = token === undefined ? undefined : this.#tokens.get(token);
    if (known !== undefined && this.#clock.now() - known.at < tokenLife) {
      if (known.input === JSON.stringify(rest)) return known.build;
      throw new AwsError('InvalidInputException', 'The token was used with other parameters.');
    }
    const own = this.#builds.filter((build) => build.project.name === project.name).length;
    const build: Build = {
      id: `${project.name}:${randomUUID()}`,
      number: own + 1,
      project,
      startedAt: this.#clock.now(),
      outcome: project.outcomes?.[own] ?? 'SUCCEEDED',
      variables: merged(project, objects(input.environmentVariablesOverride)),
      stoppedAt: null,
    };
    this.#builds.push(build);
    if (token !== undefined) {
      this.#tokens.set(token, { at: build.startedAt, input: JSON.stringify(rest), build });
    }
    return build;
  }

  #project(input: JsonObject): ProjectDefinition {
    const name = text(input.projectName) ?? '';
    const found = this.#projects.get(name);
    if (found !== undefined) return found;
    throw new AwsError(
      'ResourceNotFoundException',
      `Project cannot be found: ${arn('codebuild', `project/${name}`)}`,
    );
  }

  #batchGet(ids: readonly string[]): JsonObject {
    if (ids.length < 1 || ids.length > 100) {
      throw new AwsError('InvalidInputException', 'ids must have 1 to 100 elements.');
    }
    const found = this.#builds.filter(({ id }) => ids.includes(id));
    return {
      builds: found.map((build) => this.#shape(build)),
      buildsNotFound: ids.filter((id) => !found.some((build) => build.id === id)),
    };
  }

  #list(input: JsonObject): JsonObject {
    const project = this.#project(input);
    const ids = this.#builds.filter((build) => build.project === project).map(({ id }) => id);
    if (input.sortOrder !== 'ASCENDING') ids.reverse();
    const from = Number(text(input.nextToken) ?? '0');
    const next = from + buildsPerPage;
    return { ids: ids.slice(from, next), ...(next < ids.length ? { nextToken: String(next) } : {}) };
  }

  #status(build: Build): BuildOutcome | 'STOPPED' | 'IN_PROGRESS' {
    if (build.stoppedAt !== null) return 'STOPPED';
    return this.#phase(build) === 'COMPLETED' ? build.outcome : 'IN_PROGRESS';
  }

  /** A build that does not succeed ends in its last phase; one that was stopped, where it was. */
  #phase(build: Build): string {
    let left = (build.stoppedAt ?? this.#clock.now()) - build.startedAt;
    for (const [phase, milliseconds] of phasesOf(build)) {
      if (left < milliseconds) return phase;
      left -= milliseconds;
    }
    return 'COMPLETED';
  }

  #shape(build: Build): JsonObject {
    const { id, number: buildNumber, project, startedAt, variables } = build;
    const status = this.#status(build);
    return {
      id,
      arn: arn('codebuild', `build/${id}`),
      buildNumber,
      projectName: project.name,
      startTime: startedAt / 1000,
      buildStatus: status,
      buildComplete: status !== 'IN_PROGRESS',
      currentPhase: this.#phase(build),
      environment: { environmentVariables: variables },
    };
  }
}

function phasesOf({ project }: Build): [string, number][] {
  return Object.entries(project.phases ?? usualPhases);
}

function merged(project: ProjectDefinition, overrides: readonly JsonObject[]): JsonObject[] {
  const own = Object.entries(project.environment ?? {})
    .filter(([name]) => !overrides.some((override) => override.name === name))
    .map(([name, value]) => ({ name, value, type: 'PLAINTEXT' }));
  return [...own, ...overrides];
}
