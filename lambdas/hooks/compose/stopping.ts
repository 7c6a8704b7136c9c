/** Whether a stop that was sent to hosts is through. Pure, but for what Systems Manager is asked. */
import type { HostResult, Hosts, RunCommand, SentCommand } from './api.ts';
import { exitCodes, reportOf } from './script.ts';

/** Milliseconds in which a stop's command is looked for: longer than the stage quiesce is tried. */
export const stopLasts = 6 * 3_600_000;

/** Milliseconds after which a stop that failed is tried again. */
const repeatAfter = 30_000;

/** One that failed is sent again, but not at every look. */
export function mayRepeat({ state, requestedAt }: SentCommand, now: Date): boolean {
  return state === 'failed' && now.getTime() - requestedAt.getTime() > repeatAfter;
}

/** What is not stopped yet after this command, in a clause; null: nothing runs on any host. */
export async function stillRunning(
  { hosts, services }: { readonly hosts: Hosts; readonly services: readonly string[] },
  last: SentCommand,
  systems: RunCommand,
): Promise<string | null> {
  const results = await systems.results(last.id);
  const reasons = results.flatMap((result) => {
    if (result.state === 'failed') return [failureOn(result)];
    if (result.state === 'under-way') return [`${result.instance}: its services are stopping`];
    const { stopped } = reportOf(result.output);
    const unknown = services.find((service) => !stopped.includes(service));
    return unknown === undefined
      ? []
      : [`${result.instance}: nothing says that the service ${unknown} is stopped`];
  });
  if (reasons.length > 0) return reasons.slice(0, 5).join(', ');
  if (last.state === 'failed') return 'the command reached no host';
  if (last.state === 'under-way') return 'the command has not ended on all hosts';
  const wanted = 'instances' in hosts ? hosts.instances.length : Math.max(last.hosts, 1);
  return results.length >= wanted ? null : `${results.length} of ${wanted} hosts have answered`;
}

/** Why a command failed on one host. */
export function failureOn({ instance, detail, output }: HostResult): string {
  const { exitCode, failed } = reportOf(output);
  const meaning = exitCode === null ? null : (exitCodes.get(exitCode) ?? null);
  const where = failed === null ? '' : ` (service ${failed})`;
  return `${instance}: ${meaning ?? `the command ended with ${detail}`}${where}`;
}
