/** What a deployment says of the platform's instances, for classes that redeploy each of them. */
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import type { FleetNeeds } from '../../lambdas/contract/fleet-hooks.ts';
import { type Plan, type PlanId, plans } from '../../lambdas/contract/plan.ts';
import { fleetKinds } from '../../lambdas/hooks/instances/kinds.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { invalid } from './invalid.ts';

/** The list of instances that the class's plan works with, complete; null where the plan has none. */
export function resolveInstances(
  field: string,
  { instances }: DeploymentSecret,
  { id, plan: planId }: { readonly id: string; readonly plan: PlanId },
  deployment: Deployment,
): {
  readonly fleet: FleetNeeds & { readonly kind: string };
  readonly members: { readonly kind: string };
} | null {
  const plan: Plan = plans[planId];
  const needed = plan.stages.some((stage) => stageDefinitions[stage].usesFleet === true);
  if (instances === undefined && !needed) return null;
  if (instances === undefined) {
    throw invalid(
      `${field}.instances must say how the platform lists, redeploys and confirms its instances: the class ${id} redeploys each of them; it is missing.`,
    );
  }
  if (!needed) {
    throw invalid(`${field}.instances must be left out: the class ${id} redeploys consumers only.`);
  }
  const kind = fleetKinds.get(instances.kind);
  if (kind === undefined) {
    throw invalid(
      `${field}.instances.kind must be one of ${[...fleetKinds.keys()].join(', ')}; received "${instances.kind}".`,
    );
  }
  const members = { ...(deployment.url === undefined ? {} : { url: deployment.url }), ...instances };
  const checked = kind.check(members);
  if (!checked.ok) throw invalid(`${field}.instances: ${checked.broken[0] ?? 'they break a rule.'}`);
  return { fleet: { ...checked.hook, kind: instances.kind }, members };
}
