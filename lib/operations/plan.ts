/** What a rotation would do, from the same tables that draw the state machine. Pure: it asks nobody. */
import { type Plan, plans, type WayOutId, wayOutOf, waysOut } from '../../lambdas/contract/plan.ts';
import { type Step, steps } from '../../lambdas/contract/rotation-event.ts';
import type { SecretSettings } from '../../lambdas/contract/settings.ts';
import type { StageDescription } from '../../lambdas/contract/stage-description.ts';
import { stages } from '../../lambdas/contract/stages.ts';
import { consentNeed } from './consents.ts';
import { span } from './spans.ts';
import type { Subject } from './subject.ts';

export interface PlannedPart {
  readonly name: string;
  readonly does: string;
  /** Seconds that the rollout waits before it. */
  readonly waitSeconds: number;
  /** What it touches, by name. */
  readonly touches: readonly string[];
  /** Where it leads when it fails for good. */
  readonly onFailure: string;
}

export interface Forecast {
  readonly secret: string;
  readonly class: string;
  readonly plan: string;
  readonly steps: readonly PlannedPart[];
  readonly stages: readonly PlannedPart[];
  /** What the rotation ends or destroys, as a clause; null: nothing. */
  readonly breaks: string | null;
  /** Why a rotation now needs a person's consent, as a clause; null: it needs none. */
  readonly needsConsent: string | null;
  /** True where the value comes from a person. */
  readonly needsSupply: boolean;
}

const stepsDo: Readonly<Record<Step, string>> = {
  create: 'makes the new value and stores it under AWSPENDING',
  set: 'makes the target accept it; nothing for a value that only Keyturn makes',
  test: 'proves it without side effects',
  finish: 'moves AWSCURRENT to it, if what is current is still what it was made from',
};

/** @param now decides whether a maintenance window is open */
export function forecast(subject: Subject, now: Date): Forecast {
  const { secret } = subject;
  const plan: Plan = plans[secret.plan];
  const { settings, class: secretClass } = secret;
  const bound = secretClass.bind(settings.options);
  return {
    secret: secret.key,
    class: secretClass.id,
    plan: secret.plan,
    steps: steps.map((step) => ({
      name: step,
      does:
        step === 'create' && secretClass.supplied ? 'copies the supplied value to AWSPENDING' : stepsDo[step],
      waitSeconds: 0,
      touches: [],
      onFailure: 'what is current stays as it is; Secrets Manager tries again',
    })),
    stages: plan.stages.map((stage) => {
      const described: StageDescription = stages[stage];
      return {
        name: stage,
        does: described.does,
        waitSeconds: described.waitSeconds ?? 0,
        touches: touchedBy(stage, settings, bound.phases?.holdSeconds() ?? 0),
        onFailure: wayOut(wayOutOf(plan, stage), settings.restorable),
      };
    }),
    breaks: bound.breaks(),
    needsConsent: consentNeed(subject, now),
    needsSupply: secretClass.supplied,
  };
}

function wayOut(way: WayOutId, restorable: boolean): string {
  if (way === 'stall') return 'stops; both values stay readable';
  return restorable
    ? `goes back: ${waysOut[way].stages.join(', ')}`
    : 'stops: this class cannot bring its previous value back by itself';
}

/** What a stage acts on outside Secrets Manager. */
function touchedBy(
  stage: string,
  { consumers, probe, together }: SecretSettings,
  holdSeconds: number,
): string[] {
  const acts: Readonly<Record<string, () => string[]>> = {
    hold: () => [`for ${span(holdSeconds * 1_000)}`],
    redeploy: () => [
      ...(consumers.length < 2 ? [] : [together ? 'all at once:' : 'one after the other:']),
      ...consumers.map(({ name, kind, ...members }) => `${name} (${kind}${listed(members)})`),
    ],
    prove: () =>
      probe === null
        ? ['nothing can probe this secret: nothing will be proven']
        : [
            `${probe.kind} probe of ${String(probe.url ?? probe.path ?? 'the target')}, with the new and the old value`,
          ],
  };
  return acts[stage]?.() ?? [];
}

function listed(members: Readonly<Record<string, unknown>>): string {
  const texts = Object.entries(members).flatMap(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' ? [`${name} ${value}`] : [],
  );
  return texts.length === 0 ? '' : `, ${texts.join(', ')}`;
}
