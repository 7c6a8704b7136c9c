/** Entry of a stage function: wires the AWS SDK to one stage of a rollout. */
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KeyturnError, publicError } from '../../contract/errors.ts';
import type { ConnectedFleetKind } from '../../contract/fleet-hooks.ts';
import type { ConnectedKind } from '../../contract/hooks.ts';
import type { Events, Secrets } from '../../contract/ports.ts';
import type { ConnectedReencryptKind } from '../../contract/reencryption.ts';
import type { ClassDefinition } from '../../contract/secret-class.ts';
import { type Environment, parseEnvironment } from '../../contract/settings.ts';
import type { StageDefinition, StagePorts } from '../../contract/stage.ts';
import { type ConnectedTarget, targetOf } from '../../contract/target.ts';
import { inTime } from '../aws/connections.ts';
import { credentials } from '../aws/credentials.ts';
import { eventBridge } from '../aws/events.ts';
import { secretsManager } from '../aws/secrets.ts';
import { http } from '../http.ts';
import { metrics } from '../metrics.ts';
import { clock, log } from '../platform.ts';
import type { LambdaContext } from './lambda.ts';
import { readSettings } from './settings.ts';

/** What a stage may be given. The generated entry names what the stage declares, so that no more is bundled. */
export interface Given {
  /** The classes of the deployment's secrets. */
  readonly classes?: readonly ClassDefinition[];
  readonly secrets?: () => Secrets;
  readonly events?: (environment: Environment) => Events;
  /** The kinds of consumers in use. */
  readonly consumers?: readonly (() => ConnectedKind)[];
  /** The kinds of instance lists in use. */
  readonly fleets?: readonly (() => ConnectedFleetKind)[];
  /** The kinds of re-encryption in use. */
  readonly reencryptions?: readonly (() => ConnectedReencryptKind)[];
  /** The kinds of server that keep the passwords. */
  readonly targets?: readonly (() => ConnectedTarget)[];
  /** What hooks and classes log in with. */
  readonly credential?: () => StagePorts['credential'];
}

export const secrets = () => secretsManager(new SecretsManagerClient(inTime));
export const credential = () => credentials(new SecretsManagerClient(inTime));
export const events = ({ KEYTURN_BUS }: Environment) =>
  eventBridge(new EventBridgeClient(inTime), KEYTURN_BUS);

export function stageFunction(stage: StageDefinition, given: Given) {
  const environment = parseEnvironment(process.env);
  const settings = readSettings();
  const consumers = (given.consumers ?? []).map((connected) => connected());
  const fleets = (given.fleets ?? []).map((connected) => connected());
  const reencryptions = (given.reencryptions ?? []).map((connected) => connected());
  const ports: StagePorts = {
    classes: new Map((given.classes ?? []).map((one) => [one.id, one])),
    secrets: given.secrets?.() ?? notGiven(stage.id, 'secrets'),
    events: given.events?.(environment) ?? notGiven(stage.id, 'events'),
    consumers: new Map(consumers.map((kind) => [kind.kind, kind])),
    fleets: new Map(fleets.map((kind) => [kind.kind, kind])),
    reencryption: new Map(reencryptions.map((kind) => [kind.kind, kind])),
    credential:
      given.credential?.() ??
      (() => {
        throw undeclared(stage.id, 'credential');
      }),
    target: targetOf((given.targets ?? []).map((connected) => connected())),
    http,
    clock,
    metrics,
    log,
  };
  return async (input: unknown, context: LambdaContext): Promise<unknown> => {
    const began = clock.now().getTime();
    try {
      return await stage.run(input, {
        settings,
        self: context.invokedFunctionArn,
        ports,
        remaining: () => context.getRemainingTimeInMillis(),
      });
    } catch (caught) {
      const error = publicError(caught);
      log({ message: error.message, code: error.code, stage: stage.id });
      throw error;
    } finally {
      metrics.put({
        metric: 'StageSeconds',
        value: (clock.now().getTime() - began) / 1000,
        of: { Deployment: settings.deployment, Stage: stage.id },
      });
    }
  };
}

/** A port that the stage did not declare: using it is a fault of ours, and says which. */
function notGiven<Port extends object>(stage: string, port: string): Port {
  return new Proxy<Port>(Object.create(null), {
    get() {
      throw undeclared(stage, port);
    },
  });
}

function undeclared(stage: string, port: string): KeyturnError {
  return new KeyturnError({
    code: 'Internal',
    message: `The stage ${stage} uses ${port} without declaring it.`,
  });
}
