/** What a deployment says of a secret's probe, completed with the platform's addresses. */
import type { Deployment } from '../../lambdas/contract/deployment.ts';
import type { SecretSettings } from '../../lambdas/contract/settings.ts';
import { probeKinds } from '../../lambdas/hooks/probe/kinds.ts';
import { invalid } from './invalid.ts';

/** A probe with a path only goes to the deployment's url, or with `at` to one of its `urls`. */
export function resolveProbe(
  field: string,
  probe: Readonly<Record<string, unknown>> | null | undefined,
  deployment: Deployment,
): SecretSettings['probe'] {
  if (probe === null || probe === undefined) return null;
  const kind = String(probe.kind);
  const hook = probeKinds.get(kind);
  if (hook === undefined) {
    throw invalid(
      `${field}.probe.kind must be one of ${[...probeKinds.keys()].join(', ')}; received "${kind}".`,
    );
  }
  const { path, at, ...rest } = probe;
  const base = baseOf(field, at, deployment);
  const whole =
    typeof path === 'string' && rest.url === undefined && base !== undefined
      ? { ...rest, url: joined(base, path) }
      : { ...(path === undefined ? {} : { path }), ...rest };
  const bound = hook.bind(whole);
  if (!bound.ok) throw invalid(`${field}: ${bound.broken[0] ?? 'its probe breaks a rule.'}`);
  return { ...whole, kind };
}

/** @param at the probe's member: a name of `urls`, or nothing. */
function baseOf(field: string, at: unknown, { url, urls }: Deployment): string | undefined {
  if (at === undefined) return url;
  const base = typeof at === 'string' && Object.hasOwn(urls, at) ? urls[at] : undefined;
  if (base !== undefined) return base;
  throw invalid(
    `${field}.probe.at must be one of urls (${Object.keys(urls).join(', ') || 'there are none'}); received ${JSON.stringify(at)}.`,
  );
}

function joined(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}${path}`;
}
