/** Deployment files that must be refused before anything is made: each breaks one rule of a good one. */
import { type Deployment, parseDeployment } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { resolveDeployment } from '../deployment/resolve.ts';

type Change = (file: Deployment, key: string) => unknown;

const secretWith = (file: Deployment, key: string, change: object) => ({
  ...file,
  secrets: { ...file.secrets, [key]: { ...file.secrets[key], ...change } },
});

const changes: readonly Change[] = [
  (file) => ({ ...file, platform: 'unknown-platform' }),
  (file) => ({ ...file, colour: 'red' }),
  (file, key) => secretWith(file, key, { class: 'unknown-class' }),
  (file, key) => secretWith(file, key, { rotateAtDeploy: true }),
  (file, key) => secretWith(file, key, { consumers: ['nobody'] }),
  (file, key) => secretWith(file, key, { schedule: { cron: 'rate(1 day)', window: '2h' } }),
  (file, key) => secretWith(file, key, { schedule: { cron: 'cron(0 23 1 * ? *)', window: '2h' } }),
  (file, key) =>
    secretWith(file, key, {
      class: 'guarded',
      options: { variable: 'X', format: { encoding: 'hex', bytes: 32 }, breaks: 'something that matters' },
      schedule: { cron: 'cron(0 3 1 * ? *)', window: '2h' },
    }),
  (file, key) =>
    secretWith(file, key, {
      class: 'opaque-token',
      options: { variable: 'X', format: { encoding: 'hex', bytes: 4 } },
    }),
];

/** @returns how many bad files were tried, and how many were refused with a sentence. */
export function refuseBadFiles(good: Deployment): { tried: number; refused: number } {
  const key = Object.keys(good.secrets)[0] ?? '';
  const refused = changes.filter((change) => {
    try {
      resolveDeployment(parseDeployment(JSON.stringify(change(good, key)), 'bad.json'));
      return false;
    } catch (caught) {
      return caught instanceof KeyturnError && caught.code === 'DeploymentInvalid';
    }
  });
  return { tried: changes.length, refused: refused.length };
}
