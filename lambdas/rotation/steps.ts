/**
 * The four steps of Secrets Manager's rotation protocol, written once for every class: the table and the way
 * through it.
 */
import { type KeyturnError, publicError } from '../contract/errors.ts';
import { parseRotationEvent, type RotationEvent, type Step } from '../contract/rotation-event.ts';
import type { ClassDefinition } from '../contract/secret-class.ts';
import type { SecretSettings, Settings } from '../contract/settings.ts';
import { nothingKept, type RotationPorts, type StepContext, type StepOutcome } from './context.ts';
import { create } from './create.ts';
import { rotationFailed } from './failed-event.ts';
import { finish } from './finish.ts';
import { ownSecret } from './own-secret.ts';
import { set } from './set.ts';
import { test } from './test.ts';

const steps: Readonly<Record<Step, (context: StepContext) => Promise<StepOutcome>>> = {
  create,
  set,
  test,
  finish,
};

export interface RotationFunction {
  /**
   * Runs one step.
   *
   * @param event as Secrets Manager sends it.
   * @param self the ARN under which this function was invoked.
   * @throws KeyturnError fit to be printed: Secrets Manager learns of a failure only by an error.
   */
  run(event: unknown, self: string): Promise<void>;
}

/** The rotation function of a class. What it keeps between invocations is a shortcut, never a truth. */
export function rotationFunction(
  secretClass: ClassDefinition,
  settings: Settings,
  ports: RotationPorts,
): RotationFunction {
  const kept = nothingKept();

  return {
    async run(input, self) {
      let about: { readonly event: RotationEvent; readonly secret: SecretSettings } | null = null;
      try {
        const event = parseRotationEvent(input);
        const secret = ownSecret(settings, event.secretId, self);
        about = { event, secret };
        const bound = secretClass.bind(secret.options, ports);
        const outcome = await steps[event.step]({
          event,
          secret,
          settings,
          class: bound,
          self,
          ports,
          kept,
        });
        ports.log({ message: outcome.did, secret: secret.key, versionId: event.token, step: event.step });
      } catch (caught) {
        const error = publicError(caught);
        ports.log({
          message: error.message,
          code: error.code,
          ...(about === null
            ? {}
            : { secret: about.secret.key, versionId: about.event.token, step: about.event.step }),
        });
        if (about !== null) await reportFailure(error, about.event, about.secret);
        throw error;
      }
    },
  };

  /** Best effort: the error itself must reach Secrets Manager whatever happens to the event. */
  async function reportFailure(
    error: KeyturnError,
    event: RotationEvent,
    secret: SecretSettings,
  ): Promise<void> {
    const of = { Deployment: settings.deployment, Secret: secret.key };
    ports.metrics.put({ metric: 'RotationFailed', value: 1, of });
    try {
      await ports.events.put(rotationFailed(error, event, secret, settings));
    } catch (caught) {
      ports.log({ message: 'the failure could not be put on the bus', code: publicError(caught).code });
    }
  }
}
