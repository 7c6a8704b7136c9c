/**
 * The application that reads the secret: tasks that load the current document when they start, and answer
 * probes with what they loaded. It is judged by its own check of a token or signature, not by Keyturn's.
 */
import { createHmac } from 'node:crypto';
import type { HttpRequest, HttpResponse } from '../../lambdas/contract/ports.ts';
import type { Ecs, EcsTask } from '../../lambdas/hooks/redeploy/ecs.ts';
import type { WorldClock } from '../../lib/rehearsal/endpoint/wire.ts';

/** Milliseconds from a forced deployment until its tasks run and the former ones are gone. */
const startTime = 20_000;

interface Task {
  readonly createdAt: number;
  readonly value: string | null;
  /** Everything that it loaded. */
  readonly document: Readonly<Record<string, string>>;
}

/** Whether a task that loaded this answers with a yes. */
export type Judge = (request: HttpRequest, value: string, document: Task['document']) => boolean;

export class Application {
  #tasks: Task[];
  #deployedAt: number;
  #pending = 0;
  #failed = false;
  #asked = 0;
  readonly #clock: WorldClock;
  readonly #load: () => Pick<Task, 'value' | 'document'>;
  readonly #judge: Judge;
  readonly #canUse: (value: string, document: Task['document']) => boolean;
  #desired = 2;
  #parked: string | null = null;

  /** @param canUse values with which a task becomes healthy. */
  constructor(
    clock: WorldClock,
    load: () => Pick<Task, 'value' | 'document'>,
    judge: Judge,
    canUse: (value: string, document: Task['document']) => boolean = () => true,
  ) {
    this.#canUse = canUse;
    this.#clock = clock;
    this.#load = load;
    this.#judge = judge;
    this.#deployedAt = clock.now();
    this.#tasks = this.#started();
  }

  /** What the running tasks loaded. */
  get values(): readonly (string | null)[] {
    return this.#tasks.map((task) => task.value);
  }

  get documents(): readonly Task['document'][] {
    return this.#tasks.map((task) => task.document);
  }

  /** When the running tasks started, and what they loaded. */
  get tasks(): readonly Pick<Task, 'createdAt' | 'document'>[] {
    return this.#tasks;
  }

  readonly ecs: Ecs = {
    state: async () => ({
      arn: 'arn:aws:ecs:eu-central-1:111122223333:service/shop/web',
      parked: this.#parked,
      desired: this.#desired,
      primary: {
        createdAt: new Date(this.#deployedAt),
        running: this.#pending === 0 ? 2 : 0,
        rollout: this.#pending > 0 ? 'in-progress' : this.#failed ? 'failed' : 'completed',
      },
      deployments: 1 + this.#pending + (this.#failed ? 1 : 0),
    }),
    tasks: async () =>
      this.#tasks.map(
        (task): EcsTask => ({ createdAt: new Date(task.createdAt), running: true, healthy: true }),
      ),
    stopping: async () => 0,
    park: async (_arn, note) => {
      this.#parked = note;
    },
    scale: async (cluster, service, desired, fresh) => {
      this.#desired = desired;
      if (desired === 0) this.#tasks = [];
      if (fresh) await this.ecs.forceDeployment(cluster, service);
    },
    forceDeployment: async () => {
      this.#deployedAt = this.#clock.now();
      const started = this.#started();
      this.#pending += 1;
      this.#clock.after(startTime, () => {
        this.#pending -= 1;
        this.#failed = started.some(
          ({ value, document }) => value !== null && !this.#canUse(value, document),
        );
        // The circuit breaker: what ran before goes on.
        if (!this.#failed && this.#desired > 0) this.#tasks = started;
      });
    },
  };

  /** Instances answer in turn. */
  async answer(request: HttpRequest): Promise<HttpResponse> {
    this.#asked += 1;
    const task = this.#tasks[this.#asked % this.#tasks.length];
    const { value = null, document = {} } = task ?? {};
    return value !== null && this.#judge(request, value, document)
      ? { status: 200, body: '{}' }
      : { status: 401, body: '{}' };
  }

  #started(): Task[] {
    const createdAt = this.#clock.now();
    return [0, 1].map(() => ({ createdAt, ...this.#load() }));
  }
}

/** A bearer token: the same text. */
export const bearer: Judge = (request, value) =>
  request.headers.get('authorization')?.reveal() === `Bearer ${value}`;

/** A JWT: header.payload.signature with the signature made by the loaded key (RFC 7515). */
export const jwt: Judge = (request, value) => {
  const token = request.headers.get('authorization')?.reveal().replace('Bearer ', '') ?? '';
  const [header = '', payload = '', signature = ''] = token.split('.');
  return createHmac('sha256', value).update(`${header}.${payload}`).digest('base64url') === signature;
};

/** A JWT that any of the keys may have signed: the one that signs, and those accepted beside it. */
export const jwtOfRing: Judge = (request, value, document) =>
  [value, ...(document.ACCEPTED ?? '').split(',')].some((key) => key !== '' && jwt(request, key, document));
