import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { lookAt } from './look.ts';
import { obstaclesTo } from './obstacles.ts';
import { refusal } from './refusal.ts';
import type { Subject } from './subject.ts';

export interface Begun {
  readonly secretArn: string;
  /** The new version's id. */
  readonly token: string;
}

/**
 * Asks Secrets Manager to rotate.
 *
 * @throws KeyturnError OperationRefused with what stands in the way, before and after the call: Secrets
 *   Manager's own refusal only says that a previous rotation is not complete.
 */
export async function rotate(subject: Subject, ports: OperatorPorts): Promise<Begun> {
  const sighting = await demandFree(subject, ports);
  try {
    return { secretArn: sighting.overview.arn, token: await ports.secrets.rotate(sighting.overview.arn) };
  } catch (caught) {
    // Somebody else may have begun one in between.
    if (caught instanceof KeyturnError && caught.code === 'AwsRefused') await demandFree(subject, ports);
    throw caught;
  }
}

async function demandFree(subject: Subject, ports: OperatorPorts) {
  const sighting = await lookAt(subject, ports);
  const [first] = obstaclesTo(sighting);
  if (first !== undefined) throw refusal(first.sentence, first.hint);
  return sighting;
}
