/** The real four steps on a real server: the local Secrets Manager in process calls them, as the service does. */
import { randomBytes, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { vi } from 'vitest';
import { secretClass as databaseCredential } from '../../../lambdas/classes/database-credential.ts';
import { parseDocument, type SecretDocument } from '../../../lambdas/contract/document.ts';
import { publicError } from '../../../lambdas/contract/errors.ts';
import type { KeyturnEvent } from '../../../lambdas/contract/events.ts';
import type { Secrets } from '../../../lambdas/contract/ports.ts';
import type { ClassDefinition } from '../../../lambdas/contract/secret-class.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { Settings } from '../../../lambdas/contract/settings.ts';
import type { TargetPorts } from '../../../lambdas/contract/target.ts';
import { rotationFunction } from '../../../lambdas/rotation/steps.ts';
import { type WallClock, wallClock } from '../../../lib/rehearsal/endpoint/clocks.ts';
import { SecretsManager } from '../../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import type { Caller, InvocationResult, Json, JsonObject } from '../../../lib/rehearsal/endpoint/wire.ts';
import { Gate } from '../../simulation/gate.ts';
import { secretsPort } from '../../simulation/secrets-port.ts';

const functionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:rotation';
const operator: Caller = { accessKeyId: 'operator', roleArn: null, functionArn: null };
const role: Caller = {
  accessKeyId: 'rotation',
  roleArn: 'arn:aws:iam::111122223333:role/rotation',
  functionArn,
};

export type StepName = 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret';

export class Account {
  readonly service: SecretsManager;
  readonly clock: WallClock = wallClock();
  readonly events: KeyturnEvent[] = [];
  /** What a log would hold of the function: its lines, and its errors with everything that an inspector finds. */
  readonly printed: string[] = [];
  /** Runs before each invocation; what it throws is the function's failure. */
  before: (step: StepName) => Promise<void> | void = () => {};
  readonly gate = new Gate(new Map(), {
    check: () => {},
    duplicate: async () => {},
    secondRotation: async () => {},
    consoleEdit: async () => {},
  });
  readonly name = `shop/${randomUUID()}`;
  #arn = '';
  readonly settings: Settings;
  /** The secret as the role of the functions sees it. */
  readonly secrets: Secrets;
  readonly #steps: () => ReturnType<typeof rotationFunction>;
  #warm: ReturnType<typeof rotationFunction>;

  constructor(options: object, ports: TargetPorts, secretClass: ClassDefinition = databaseCredential) {
    this.service = new SecretsManager({
      clock: this.clock,
      random: { bytes: (count) => randomBytes(count), uuid: () => randomUUID() },
      invoker: { permits: () => true, invoke: (_arn, event) => this.invoke(event) },
      emit: () => {},
      options: { retryDelays: Array.from({ length: 60 }, () => 100) },
    });
    const way = secretClass.way(options);
    this.settings = {
      schema: 1,
      deployment: 'shop',
      platform: 'shop',
      secrets: [
        {
          key: 'DATABASE',
          id: this.name,
          class: secretClass.id,
          options,
          plan: way.plan,
          restorable: way.restorable,
          window: null,
          cutover: way.cutover,
          together: way.cutover,
          consumers: [],
          probe: null,
        },
      ],
    };
    this.secrets = secretsPort(this.service, role, this.gate, { dead: false });
    this.#steps = () =>
      rotationFunction(secretClass, this.settings, {
        ...ports,
        secrets: this.secrets,
        events: { put: async (event) => void this.events.push(event) },
        clock: {
          now: () => new Date(),
          sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
        },
        random: { bytes: (count) => randomBytes(count) },
        metrics: { put: () => {} },
        log: (line) => void this.printed.push(JSON.stringify(line)),
      });
    this.#warm = this.#steps();
  }

  /** Lambda takes a fresh container. */
  recycle(): void {
    this.#warm = this.#steps();
  }

  get arn(): string {
    return this.#arn;
  }

  asOperator(operation: string, input: JsonObject = {}): Promise<JsonObject> {
    return this.service.handle(operation, { SecretId: this.name, ...input }, operator);
  }

  async created(value: string): Promise<this> {
    const answer = await this.service.handle(
      'CreateSecret',
      { Name: this.name, ClientRequestToken: randomUUID(), SecretString: value },
      operator,
    );
    this.#arn = String(answer.ARN);
    await this.asOperator('RotateSecret', {
      RotationLambdaARN: functionArn,
      RotateImmediately: false,
      ClientRequestToken: randomUUID(),
    });
    await this.#until(() => this.run?.kind === 'test' && this.run.status !== 'running');
    return this;
  }

  get run() {
    return this.service.runs.at(-1);
  }

  async begin(): Promise<string> {
    const token = randomUUID();
    await this.asOperator('RotateSecret', { ClientRequestToken: token });
    return token;
  }

  /** A rotation to its end. */
  async rotate(): Promise<string> {
    const token = await this.begin();
    await this.until('succeeded');
    return token;
  }

  async until(status: string): Promise<void> {
    await this.#until(() => this.run?.kind === 'rotation' && this.run.status === status);
  }

  #until(condition: () => boolean): Promise<unknown> {
    return vi.waitUntil(condition, { timeout: 60_000, interval: 10 });
  }

  /** One invocation, as Secrets Manager makes it, or anybody who may. */
  async invoke(event: Json, steps = this.#warm): Promise<InvocationResult> {
    try {
      await this.before((event as { Step: StepName }).Step);
      await steps.run(event, functionArn);
      return { ok: true, payload: null };
    } catch (caught) {
      this.printed.push(inspect(caught, { depth: 10, showHidden: true }));
      const error = publicError(caught);
      return { ok: false, errorType: error.name, errorMessage: error.message };
    }
  }

  step(Step: StepName, token: string): Promise<InvocationResult> {
    return this.invoke({ Step, SecretId: this.#arn, ClientRequestToken: token });
  }

  /** The errors of the run's attempts, in order. */
  failures(): string[] {
    return (this.run?.attempts ?? []).flatMap(({ steps }) =>
      steps.flatMap(({ outcome }) => (outcome === null || outcome === 'returned' ? [] : [outcome.errorType])),
    );
  }

  versions() {
    return this.service.snapshot(this.name) ?? [];
  }

  /** The document of the version with this label, or this id. */
  document(of = 'AWSCURRENT'): SecretDocument {
    const version = this.versions().find(({ id, labels }) => id === of || labels.includes(of));
    const text = version?.value?.kind === 'string' ? version.value.text : '{}';
    return parseDocument(new Sensitive(text), of);
  }

  /** Null: the version holds no connection string. */
  passwordOf(id: string): string | null {
    const value = this.versions().find((version) => version.id === id)?.value;
    const url =
      value?.kind === 'string' ? /(?:postgres|mysql|rediss?):[^"]*/.exec(value.text)?.[0] : undefined;
    return url !== undefined && URL.canParse(url) ? new URL(url).password : null;
  }

  labelsOf(id: string): readonly string[] {
    return this.versions().find((version) => version.id === id)?.labels ?? [];
  }

  close(): void {
    this.clock.close();
  }
}
