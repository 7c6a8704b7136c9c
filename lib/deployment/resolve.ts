/**
 * A deployment file, checked against the catalog, the classes and the hooks, and completed from them: what
 * the stacks are built from and the functions get as their settings. Pure: it reads nothing and throws
 * nothing but the first broken rule.
 */
import { catalogOf } from '../../lambdas/catalog/platforms.ts';
import type { Catalog } from '../../lambdas/catalog/schema.ts';
import { classIds, classOf } from '../../lambdas/classes/registry.ts';
import { keyStatements } from '../../lambdas/contract/credential.ts';
import type { Deployment, DeploymentSecret } from '../../lambdas/contract/deployment.ts';
import type { FleetNeeds } from '../../lambdas/contract/fleet-hooks.ts';
import type { IamStatement } from '../../lambdas/contract/hooks.ts';
import type { Network } from '../../lambdas/contract/network.ts';
import { type Plan, type PlanId, plans } from '../../lambdas/contract/plan.ts';
import { checkSchedule, type Window } from '../../lambdas/contract/schedule.ts';
import type { ClassDefinition } from '../../lambdas/contract/secret-class.ts';
import type { SecretSettings } from '../../lambdas/contract/settings.ts';
import type { Engine } from '../../lambdas/contract/target.ts';
import { redeployKinds } from '../../lambdas/hooks/redeploy/kinds.ts';
import { resolveInstances } from './instances.ts';
import { invalid } from './invalid.ts';
import { resolveNetwork } from './network.ts';
import { resolveProbe } from './probe.ts';
import { classInUse, type ResolvedReencryption, resolveReencryptions, withIds } from './reencryption.ts';

export interface ResolvedSecret {
  readonly key: string;
  readonly class: ClassDefinition;
  readonly plan: PlanId;
  /** True when a rotation ends sessions or tokens at once. */
  readonly cutover: boolean;
  /** True when moving AWSCURRENT back restores the previous value. */
  readonly restorable: boolean;
  /** The kind of server that its functions log in to; null: none. */
  readonly engine: Engine | null;
  /** Secrets beside it that its functions read, by name or ARN. */
  readonly credentials: readonly string[];
  /** Use of the customer keys of those that are not of this deployment. */
  readonly credentialStatements: readonly IamStatement[];
  /** What changing its password takes of AWS, where a service keeps it beside the server. */
  readonly targetStatements: readonly IamStatement[];
  readonly source: DeploymentSecret['source'];
  /** Null: the secret rotates on demand only. */
  readonly window: Window | null;
  /** What working with its instances takes; null where its plan has none. */
  readonly fleet: (FleetNeeds & { readonly kind: string }) | null;
  /** How its stored data is moved; empty where none is encrypted with it. */
  readonly reencryptions: readonly ResolvedReencryption[];
  /** What its functions are told. */
  readonly settings: SecretSettings;
}

export interface ResolvedConsumer {
  readonly name: string;
  readonly kind: string;
  readonly statements: readonly IamStatement[];
}

export interface ResolvedDeployment {
  readonly name: string;
  readonly platform: string;
  readonly title: string;
  readonly secrets: readonly ResolvedSecret[];
  readonly consumers: readonly ResolvedConsumer[];
  /** Where the functions run that log in to servers; null: in no VPC of the team's. */
  readonly network: Network | null;
  readonly emails: readonly string[];
  readonly logRetentionDays: number;
  readonly reconcileEveryMinutes: number;
}

/**
 * @throws KeyturnError DeploymentInvalid: one sentence with the field, the rule and what was received.
 */
export function resolveDeployment(deployment: Deployment): ResolvedDeployment {
  const catalog = catalogOf(deployment.platform);
  const consumers = Object.entries(deployment.consumers).map(([name, consumer]) => ({
    name,
    consumer,
    statements: boundConsumer(name, consumer),
    quiesces: redeployKinds.get(consumer.kind)?.quiesces(consumer) ?? { ok: false, broken: [consumer.kind] },
  }));
  const keys = Object.keys(deployment.secrets);
  if (keys.length === 0) throw invalid('secrets must name at least one secret; it is empty.');
  const secrets = Object.entries(deployment.secrets).map(([key, secret]) =>
    resolveSecret(key, secret, deployment, catalog),
  );
  const doubled = duplicate(secrets.map((secret) => secret.settings.id));
  if (doubled !== undefined)
    throw invalid(`secrets must each have their own source; ${doubled} is named twice.`);
  const stopped = new Set(
    secrets.filter(isQuiesced).flatMap(({ settings }) => settings.consumers.map(({ name }) => name)),
  );
  const unstoppable = consumers.find(({ name, quiesces }) => stopped.has(name) && !quiesces.ok);
  if (unstoppable !== undefined && !unstoppable.quiesces.ok) {
    throw invalid(
      `consumers.${unstoppable.name} must be of a kind that can be stopped, since a secret of it stops its consumers while data is moved; ${unstoppable.quiesces.broken[0]} cannot.`,
    );
  }
  return {
    name: deployment.name,
    platform: deployment.platform,
    title: catalog.title,
    secrets,
    consumers: consumers.map(({ name, consumer, statements, quiesces }) => ({
      name,
      kind: consumer.kind,
      statements: stopped.has(name) && quiesces.ok ? [...statements, ...quiesces.hook] : statements,
    })),
    network: resolveNetwork(deployment.network, secrets),
    emails: deployment.notifications?.email ?? [],
    logRetentionDays: deployment.logRetentionDays,
    reconcileEveryMinutes: deployment.reconcileEveryMinutes,
  };
}

function isQuiesced({ plan: planId }: ResolvedSecret): boolean {
  const plan: Plan = plans[planId];
  return plan.stages.includes('quiesce');
}

function resolveSecret(
  key: string,
  secret: DeploymentSecret,
  deployment: Deployment,
  catalog: Catalog,
): ResolvedSecret {
  const field = `secrets.${key}`;
  refuseForbidden(field, [key], catalog);
  const known = Object.hasOwn(catalog.secrets, key) ? catalog.secrets[key] : undefined;
  const classId = secret.class ?? known?.class;
  if (classId === undefined) {
    throw invalid(
      `${field} must be a secret of the platform ${deployment.platform} (${Object.keys(catalog.secrets).join(', ')}), or have the field class.`,
    );
  }
  const declared = classOf(classId);
  if (declared === undefined) {
    throw invalid(`${field}.class must be one of ${classIds.join(', ')}; received "${classId}".`);
  }
  const { class: secretClass, options: given } = classInUse(
    field,
    { class: declared, options: { ...(classId === known?.class ? known.options : {}), ...secret.options } },
    secret,
  );
  const ids = new Map(Object.entries(deployment.secrets).map(([name, { source }]) => [name, idOf(source)]));
  const options = withIds(given, ids);
  const parsed = secretClass.parse(options);
  if (!parsed.ok) throw invalid(`${field}: ${parsed.broken[0] ?? 'its options break a rule.'}`);
  refuseForbidden(`${field}.options`, secretClass.bind(options).variables(), catalog);
  if (secretClass.admission === 'elsewhere' && 'create' in secret.source) {
    throw invalid(
      `${field}.source must be import: the class ${secretClass.id} is of secrets that another service makes and rotates.`,
    );
  }
  const window = resolveWindow(field, secret, secretClass);
  if (secret.remindAfterDays !== undefined && !secretClass.supplied) {
    throw invalid(
      `${field}.remindAfterDays must be left out: the class ${secretClass.id} makes its values itself, so there is nothing to remind a person of.`,
    );
  }
  const way = secretClass.way(options);
  const credentials = secretClass.credentials(options);
  const instances = resolveInstances(field, secret, { id: secretClass.id, plan: way.plan }, deployment);
  const reencryptions = resolveReencryptions(field, secret, ids);
  return {
    key,
    class: secretClass,
    plan: way.plan,
    cutover: way.cutover,
    restorable: way.restorable,
    engine: secretClass.engine(options),
    credentials: credentials.map(({ secret: id }) => id),
    credentialStatements: keyStatements(credentials),
    targetStatements: secretClass.statements(options),
    source: secret.source,
    window,
    fleet: instances?.fleet ?? null,
    reencryptions,
    settings: {
      key,
      id: idOf(secret.source),
      class: secretClass.id,
      options: parsed.options,
      plan: way.plan,
      restorable: way.restorable,
      cutover: way.cutover,
      ...(secretClass.admission === 'elsewhere' ? { observed: true } : {}),
      together: secret.together ?? way.cutover,
      window: way.cutover && secret.onDemand !== 'any-time' ? window : null,
      consumers: secret.consumers.map((name) => {
        const consumer = deployment.consumers[name];
        if (consumer === undefined)
          throw invalid(`${field}.consumers must name members of consumers; received "${name}".`);
        return { ...consumer, name };
      }),
      ...(instances === null ? {} : { instances: instances.members }),
      ...(reencryptions.length === 0 ? {} : { reencrypt: reencryptions.map(({ members }) => members) }),
      probe: resolveProbe(field, secret.probe === undefined ? known?.probe : secret.probe, deployment),
      ...holdOf(secretClass, parsed.options),
      ...(secret.remindAfterDays === undefined ? {} : { remindAfterDays: secret.remindAfterDays }),
    },
  };
}

/** How long a rollout of this class holds the old value, where it does. */
function holdOf(secretClass: ClassDefinition, options: unknown): Pick<SecretSettings, 'holdSeconds'> {
  const { phases } = secretClass.bind(options);
  return phases === null ? {} : { holdSeconds: phases.holdSeconds() };
}

/** Variables that the platform's document says not to set at all. */
function refuseForbidden(field: string, variables: readonly string[], { forbidden }: Catalog): void {
  for (const variable of variables) {
    const why = Object.hasOwn(forbidden, variable) ? forbidden[variable] : undefined;
    if (why !== undefined) throw invalid(`${field} must not name ${variable}: ${why}.`);
  }
}

/** Names and ARNs are both ids for Secrets Manager; the ARN is more exact where there is one. */
function idOf(source: DeploymentSecret['source']): string {
  if ('create' in source) return source.create.name;
  return 'arn' in source.import ? source.import.arn : source.import.name;
}

function resolveWindow(field: string, secret: DeploymentSecret, secretClass: ClassDefinition): Window | null {
  if (secret.schedule === undefined) return null;
  if (secretClass.admission === 'guarded') {
    throw invalid(
      `${field}.schedule must be left out: the class ${secretClass.id} rotates only with a person's consent.`,
    );
  }
  if (secretClass.admission === 'on-demand') {
    throw invalid(
      `${field}.schedule must be left out: the class ${secretClass.id} rotates on demand, when a person has supplied a value.`,
    );
  }
  if (secretClass.admission === 'elsewhere') {
    throw invalid(
      `${field}.schedule must be left out: the service that manages a secret of class ${secretClass.id} has its schedule.`,
    );
  }
  const checked = checkSchedule(secret.schedule.cron, secret.schedule.window);
  if (!checked.ok) throw invalid(`${field}.schedule: ${checked.broken}.`);
  return checked.value;
}

function boundConsumer(name: string, consumer: { readonly kind: string }): readonly IamStatement[] {
  const kind = redeployKinds.get(consumer.kind);
  if (kind === undefined) {
    const hint = consumer.kind === 'process' ? ' A process can be named for a rehearsal only.' : '';
    throw invalid(
      `consumers.${name}.kind must be one of ${[...redeployKinds.keys()].join(', ')}; received "${consumer.kind}".${hint}`,
    );
  }
  const checked = kind.check(consumer);
  if (!checked.ok) throw invalid(`consumers.${name}: ${checked.broken[0] ?? 'it breaks a rule.'}`);
  return checked.hook;
}

function duplicate(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index);
}
