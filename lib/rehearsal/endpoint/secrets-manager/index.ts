/**
 * Secrets Manager in process: the operations that a rotation pipeline and its operators use, with the label, token,
 * deletion and rotation rules of AWS. It has no timer, clock or randomness of its own, and does nothing by itself
 * except through `clock.after`, so a simulator may drive it step by step.
 *
 * Left out: replication, resource policies (ValidateResourcePolicy only checks the form), managed external
 * secrets, KMS itself, throttling.
 */
import {
  AwsError,
  type Caller,
  type Emit,
  type Invoker,
  type JsonObject,
  type Service,
  type WorldClock,
} from '../wire.ts';
import { Calendar } from './calendar.ts';
import { commit } from './commit.ts';
import { type Core, defaultOptions, type Operation, type Options, type Randomness } from './core.ts';
import { deleteSecret, restoreSecret } from './deletion.ts';
import { faultyEmit, serviceEvent } from './events.ts';
import { textOf } from './input.ts';
import { getRandomPassword } from './password.ts';
import { batchGetSecretValue, listSecrets } from './queries.ts';
import { describeSecret, getSecretValue, listSecretVersionIds } from './reads.ts';
import { cancelRotateSecret, rotateSecret } from './rotate.ts';
import { openWindow } from './rotation.ts';
import { type RotationRun, Runs } from './runs.ts';
import { type OperationName, shapes } from './shapes.ts';
import { updateSecretVersionStage } from './stages.ts';
import { type SecretValue, Store } from './store.ts';
import { tagResource, untagResource } from './tags.ts';
import { validate } from './validate.ts';
import { createSecret, putSecretValue, updateSecret } from './writes.ts';

export type { Options, Randomness } from './core.ts';
export type { EventFaults, SecretEvent } from './events.ts';
export type { Attempt, RotationRun, RunStatus, Step, StepRecord } from './runs.ts';
export type { SecretValue } from './store.ts';

export interface Surroundings {
  readonly clock: WorldClock;
  readonly random: Randomness;
  readonly invoker: Invoker;
  /** Where `Secret Label Updated` and the CloudTrail service events go. */
  readonly emit: Emit;
  /** Whatever is left out has its default (`defaultOptions`). */
  readonly options?: Partial<Options>;
}

/** A version as it lies in the store. */
export interface VersionSnapshot {
  readonly id: string;
  /** Sorted. */
  readonly labels: readonly string[];
  /** Null: the version that a rotation has opened and not filled. */
  readonly value: SecretValue | null;
  readonly createdAt: number;
}

/** A service of AWS, to which no policy of the account applies. */
const itself: Caller = { accessKeyId: 'service', roleArn: null, functionArn: null };

const operations: Record<OperationName, Operation> = {
  CreateSecret: createSecret,
  PutSecretValue: putSecretValue,
  UpdateSecret: updateSecret,
  UpdateSecretVersionStage: updateSecretVersionStage,
  GetSecretValue: getSecretValue,
  BatchGetSecretValue: batchGetSecretValue,
  DescribeSecret: describeSecret,
  ListSecrets: listSecrets,
  ListSecretVersionIds: listSecretVersionIds,
  RotateSecret: rotateSecret,
  CancelRotateSecret: cancelRotateSecret,
  GetRandomPassword: getRandomPassword,
  TagResource: tagResource,
  UntagResource: untagResource,
  DeleteSecret: deleteSecret,
  RestoreSecret: restoreSecret,
  ValidateResourcePolicy: validateResourcePolicy,
};

export class SecretsManager implements Service {
  readonly signingName = 'secretsmanager';
  /** May be changed while the service runs. */
  readonly options: Options;
  readonly #core: Core;

  constructor({ clock, random, invoker, emit, options = {} }: Surroundings) {
    this.options = { ...defaultOptions, ...options };
    const store = new Store(clock, () => this.options.readLag);
    const calendar = new Calendar(
      clock,
      () => this.options.windowFraction,
      (arn) => openWindow(this.#core, arn),
    );
    this.#core = {
      clock,
      random,
      invoker,
      emit: faultyEmit(emit, () => this.options.eventFaults),
      options: this.options,
      store,
      runs: new Runs(),
      calendar,
    };
  }

  /** @throws AwsError UnknownOperationException for an operation that this service does not have. */
  async handle(operation: string, input: JsonObject, caller: Caller): Promise<JsonObject> {
    if (!isOperation(operation))
      throw new AwsError('UnknownOperationException', `Unknown operation: ${operation}`);
    validate(input, shapes[operation]);
    return operations[operation](this.#core, input, caller);
  }

  /**
   * What a service that manages a secret does: a new current version, without any function, and the rotation is
   * closed at once (AWS user guide, "Managed rotation"). Not an AWS operation.
   *
   * @param secretId name, ARN or partial ARN.
   * @returns the id of the new version.
   */
  managedRotation(secretId: string, value: string): string {
    const core = this.#core;
    const id = core.random.uuid();
    putSecretValue(core, { SecretId: secretId, ClientRequestToken: id, SecretString: value }, itself);
    const written = core.store.find(secretId);
    if (written === null) throw new Error(`there is no secret ${secretId}`);
    commit(core, written, { ...written, rotatedAt: core.clock.now() });
    core.emit(serviceEvent('RotationSucceeded', written.arn, id, core.clock.now()));
    return id;
  }

  /** All rotations and test runs so far, oldest first. Not an AWS operation. */
  get runs(): readonly RotationRun[] {
    return this.#core.runs.all;
  }

  /**
   * All versions of a secret, oldest first, with values and also without labels, as of now: neither read lag nor
   * deletion hide anything, and nothing is marked as accessed. Not an AWS operation.
   *
   * @param secretId name, ARN or partial ARN.
   * @returns null when there is no such secret.
   */
  snapshot(secretId: string): readonly VersionSnapshot[] | null {
    const secret = this.#core.store.find(secretId);
    if (secret === null) return null;
    return [...secret.versions.values()].map(({ id, labels, value, createdAt }) => ({
      id,
      labels: [...labels].sort(),
      value,
      createdAt,
    }));
  }
}

function isOperation(name: string): name is OperationName {
  return Object.hasOwn(operations, name);
}

/** Says yes to every policy that is JSON: what a policy allows is not this service's business here. */
function validateResourcePolicy(_core: Core, input: JsonObject): JsonObject {
  try {
    JSON.parse(textOf(input, 'ResourcePolicy') ?? '');
  } catch {
    throw new AwsError('MalformedPolicyDocumentException', 'This resource policy contains invalid Json.');
  }
  return { PolicyValidationPassed: true, ValidationErrors: [] };
}
