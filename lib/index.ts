/**
 * Keyturn as a library: what a team's own CDK app needs.
 *
 *     const file = parseDeployment(readFileSync(path, 'utf8'), path);
 *     new KeyturnPipeline(stack, 'Keyturn', { deployment: resolveDeployment(file) });
 */
export { type Deployment, parseDeployment } from '../lambdas/contract/deployment.ts';
export { KeyturnError } from '../lambdas/contract/errors.ts';
export { type ResolvedDeployment, type ResolvedSecret, resolveDeployment } from './deployment/resolve.ts';
export { KeyturnStack, type KeyturnStackProps } from './keyturn-stack.ts';
export { Network, type NetworkProps } from './network.ts';
export { KeyturnPipeline, type KeyturnPipelineProps } from './pipeline.ts';
export { RolloutMachine, type RolloutMachineProps } from './rollout-machine.ts';
export { RotatedSecret, type RotatedSecretProps } from './rotated-secret.ts';
export { RotationFunction, type RotationFunctionProps } from './rotation-function.ts';
