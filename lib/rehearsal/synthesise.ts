import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import type { ResolvedDeployment } from '../deployment/resolve.ts';
import { KeyturnStack, stackNameOf } from '../keyturn-stack.ts';

/**
 * Synthesises the real stacks. What it makes lasts as long as this process: the functions run from it.
 *
 * @returns for each deployment the path of its template, in the same order.
 */
export function synthesise(deployments: readonly ResolvedDeployment[]): readonly string[] {
  const outdir = mkdtempSync(join(tmpdir(), 'keyturn-rehearsal-'));
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  const app = new App({ outdir, analyticsReporting: false });
  for (const deployment of deployments) new KeyturnStack(app, { deployment });
  app.synth();
  return deployments.map((deployment) => join(outdir, `${stackNameOf(deployment)}.template.json`));
}
