/** Which functions go into the deployment's VPC, and whether what they call is open to them there. */
import type { Network } from '../../lambdas/contract/network.ts';
import { plans, stagesOfPlan } from '../../lambdas/contract/plan.ts';
import type { StageId } from '../../lambdas/contract/stages.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { invalid } from './invalid.ts';
import type { ResolvedSecret } from './resolve.ts';

/** The kinds of re-encryption that open connections to a server themselves. */
const kindsWithServers: readonly string[] = ['postgres'];

/** Whether the rotation function of these secrets logs in to a server. */
export function rotationLogsIn(secrets: readonly ResolvedSecret[]): boolean {
  return secrets.some(({ engine }) => engine !== null);
}

/** Whether the function of a stage logs in to a server for these secrets. */
export function stageLogsIn(stage: StageId, secrets: readonly ResolvedSecret[]): boolean {
  const { usesTarget, reencrypts } = stageDefinitions[stage];
  return (
    (usesTarget === true && rotationLogsIn(secrets)) ||
    (reencrypts === true &&
      secrets.some(({ reencryptions }) => reencryptions.some(({ kind }) => kindsWithServers.includes(kind))))
  );
}

/**
 * A stage is one function for all secrets: where it logs in for one, it probes and calls for the others from inside
 * the VPC too. What it cannot reach there would only show in the middle of a rollout.
 *
 * @throws KeyturnError DeploymentInvalid
 */
export function resolveNetwork(
  network: Network | undefined,
  secrets: readonly ResolvedSecret[],
): Network | null {
  if (network === undefined) return null;
  const inside = stagesInside(secrets);
  if (!rotationLogsIn(secrets) && inside.length === 0) {
    throw invalid('network must be left out: no function of this deployment logs in to a server.');
  }
  const open = new Set(network.targets.map(({ port }) => port));
  if (network.endpoints === 'nat') open.add(443);
  for (const [stage, own] of inside) {
    for (const secret of own) {
      const closed = callsOf(stage, secret).find((url) => !open.has(portOf(url)));
      if (closed === undefined) continue;
      throw invalid(
        `network.targets must have port ${portOf(closed)}: the function of ${stage} logs in to servers, so it runs in the VPC, and for secrets.${secret.key} it calls ${closed.origin} from there; none has it. Where that address cannot be reached from the VPC, put ${secret.key} into a deployment file of its own.`,
      );
    }
  }
  return network;
}

/** The stages whose functions go into the VPC, each with the secrets that it works for. */
function stagesInside(secrets: readonly ResolvedSecret[]): (readonly [StageId, readonly ResolvedSecret[]])[] {
  const stages = new Set(secrets.flatMap(({ plan }) => [...stagesOfPlan(plans[plan])]));
  return [...stages].flatMap((stage) => {
    const own = secrets.filter(({ plan }) => stagesOfPlan(plans[plan]).includes(stage));
    return stageLogsIn(stage, own) ? [[stage, own] as const] : [];
  });
}

/** The HTTP addresses that a stage calls for a secret. */
function callsOf(stage: StageId, { settings, reencryptions }: ResolvedSecret): URL[] {
  const { reencrypts } = stageDefinitions[stage];
  const members = [
    ...(stage === 'prove' ? [settings.probe] : []),
    ...(reencrypts === true ? reencryptions.map((one) => one.members) : []),
  ];
  return members.flatMap(urlsIn).filter(({ protocol }) => protocol === 'https:');
}

/** Every member `url`, however deep. */
function urlsIn(value: unknown): URL[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'url' && typeof member === 'string' && URL.canParse(member) ? [new URL(member)] : urlsIn(member),
  );
}

function portOf({ port }: URL): number {
  return port === '' ? 443 : Number(port);
}
