import type { RolloutState } from '../contract/rollout-state.ts';

/** Most characters of a reason: room for the 20 longest ids of instances that a sentence may name. */
const longestReason = 1_800;

/** Why a rollout left its way, in a sentence. A function's error arrives as JSON text; only its message is taken. */
export function reasonOf({ failure }: RolloutState): string {
  const message =
    errorMessage(failure?.Cause ?? '') ?? `The stage ended with ${failure?.Error ?? 'no error'}.`;
  return message.length > longestReason ? `${message.slice(0, longestReason)}…` : message;
}

function errorMessage(cause: string): string | null {
  try {
    const parsed: unknown = JSON.parse(cause);
    if (typeof parsed !== 'object' || parsed === null || !('errorMessage' in parsed)) return null;
    return typeof parsed.errorMessage === 'string' ? parsed.errorMessage : null;
  } catch {
    return null;
  }
}
