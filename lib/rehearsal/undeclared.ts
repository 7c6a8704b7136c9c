/** An application that nobody declared, which holds a session of the old value while it is to be taken away. */
import { parseDocument } from '../../lambdas/contract/document.ts';
import { type Plan, plans } from '../../lambdas/contract/plan.ts';
import { consentIfAsked, generated, type Stage, variablesOf } from './acts.ts';
import type { HeldSession } from './run-server.ts';
import type { Scenario } from './scenario.ts';
import type { StagedSecret } from './stage-deployment.ts';

/** What it calls itself at the server. */
const name = 'nightly-report';

const minute = 60_000;

/**
 * @param ending `by itself`: somebody stops the application once the rollout has named it. `by force`: nobody does, and
 *   the deployment has its sessions ended after a while.
 */
export function undeclaredApplication(id: string, ending: 'by itself' | 'by force'): Scenario {
  let session: HeldSession | null = null;
  let named = false;
  return {
    id,
    expected: 'completed',
    once: true,
    fits: (secret) =>
      generated(secret) && drains(secret) && (ending === 'by itself' || patienceOf(secret) !== null),
    async begin(stage) {
      const { operator, secretId } = stage;
      named = false;
      session = await held(stage);
      await consentIfAsked(stage);
      return operator.rotate(secretId);
    },
    async onProgress({ client, secret }, what) {
      if (what !== 'drain' || named) return;
      const [execution] = (await client.executions()).slice(-1);
      const failures = (await client.history(execution?.arn ?? '')).filter(
        ({ type }) => type === 'TaskFailed',
      );
      named = failures.some((failure) => JSON.stringify(failure).includes(`${name} (1)`));
      if (!named) return;
      if (ending === 'by itself') await session?.end();
      else await client.advance(((patienceOf(secret) ?? 0) + 1) * minute);
    },
    async verify() {
      if (!named) return `The rollout must name ${name} while its session is open; it did not.`;
      return ending === 'by force' && (await session?.isOpen()) ? `The session of ${name} is open.` : null;
    },
    clear: async () => session?.end(),
  };
}

function drains({ resolved }: StagedSecret): boolean {
  const plan: Plan = plans[resolved.plan];
  return plan.stages.includes('drain');
}

function patienceOf({ resolved }: StagedSecret): number | null {
  return resolved.class.bind(resolved.settings.options).oldValue?.patienceMinutes() ?? null;
}

async function held({ operator, secretId, secret, server }: Stage): Promise<HeldSession> {
  if (secret.login === null || server === null) throw new Error('There is no server to log in to.');
  const { value } = await operator.read(secretId, 'AWSCURRENT');
  const login = secret.login.login(variablesOf(parseDocument(value, 'the value')));
  return server.hold(login, secret.login.databases[0], name);
}
