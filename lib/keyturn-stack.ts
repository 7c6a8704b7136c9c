import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { ResolvedDeployment } from './deployment/resolve.ts';
import { KeyturnPipeline } from './pipeline.ts';

export interface KeyturnStackProps extends StackProps {
  /** A deployment file, parsed by `parseDeployment` and checked by `resolveDeployment`. */
  readonly deployment: ResolvedDeployment;
}

/** One deployment file as a stack, named after it. */
export class KeyturnStack extends Stack {
  readonly pipeline: KeyturnPipeline;

  constructor(scope: Construct, props: KeyturnStackProps) {
    const { deployment, ...rest } = props;
    super(scope, stackNameOf(deployment), {
      description: `Keyturn rotates the secrets of ${deployment.title} (${deployment.name}).`,
      ...rest,
    });
    this.pipeline = new KeyturnPipeline(this, 'Pipeline', { deployment });
  }
}

export function stackNameOf(deployment: ResolvedDeployment): string {
  return `keyturn-${deployment.name}`;
}
