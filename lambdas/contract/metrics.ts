/** The metrics of Keyturn: every name and dimension that there is. */

/** The namespace in CloudWatch. */
export const metricNamespace = 'Keyturn';

/**
 * What a metric may be told apart by, each bounded: a deployment's name, a secret's key in its file, a stage of
 * the plans. CloudWatch bills each combination as a metric of its own.
 */
export type Dimension = 'Deployment' | 'Secret' | 'Stage';

export interface MetricDescription {
  readonly means: string;
  readonly unit: 'Seconds' | 'Count';
  /** Each set of dimensions is a metric of its own. Alarms are set on the first. */
  readonly dimensions: readonly [readonly Dimension[], ...(readonly Dimension[])[]];
}

const perDeployment = [['Deployment']] as const;
const perSecret = [['Deployment'], ['Deployment', 'Secret']] as const;

export const metrics = {
  StageSeconds: {
    means: 'how long one run of a stage took, whether it succeeded or not',
    unit: 'Seconds',
    // Not per secret: a large deployment would pay for hundreds of metrics that nobody looks at.
    dimensions: [['Deployment', 'Stage']],
  },
  GapSeconds: {
    means:
      'from the move of AWSCURRENT until every consumer runs with the new value, where both cannot be valid',
    unit: 'Seconds',
    dimensions: perSecret,
  },
  CurrentRefusedSeconds: {
    means:
      'between set and finish: for how long, at most, the current value did not work at a target that knows one only',
    unit: 'Seconds',
    dimensions: perSecret,
  },
  RotationFailed: {
    means: 'a step failed, or the service that manages the secret could not rotate it',
    unit: 'Count',
    dimensions: perSecret,
  },
  RolloutCompleted: { means: 'a rollout was completed', unit: 'Count', dimensions: perSecret },
  RolloutRolledBack: { means: 'a rollout was rolled back', unit: 'Count', dimensions: perSecret },
  RolloutStalled: { means: 'a rollout has stopped safely', unit: 'Count', dimensions: perSecret },
  RotationOverdue: {
    means: 'secrets that a sweep found overdue',
    unit: 'Count',
    dimensions: perDeployment,
  },
  RotationStuck: {
    means: 'secrets that a sweep found with a pending version that is too old',
    unit: 'Count',
    dimensions: perDeployment,
  },
  SweepCompleted: { means: 'the reconciler has gone through', unit: 'Count', dimensions: perDeployment },
} as const satisfies Record<string, MetricDescription>;

export type MetricName = keyof typeof metrics;

type DimensionOf<Name extends MetricName> = (typeof metrics)[Name]['dimensions'][number][number];

/** One value of one metric, with a name for each of the metric's dimensions. */
export type Measurement = {
  readonly [Name in MetricName]: {
    readonly metric: Name;
    /** In the metric's unit, finite, 0 or more. */
    readonly value: number;
    readonly of: Readonly<Record<DimensionOf<Name>, string>>;
  };
}[MetricName];
