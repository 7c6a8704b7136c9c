import type { SweepCounts } from '../reconcile/context.ts';

/**
 * The reconciler's sign of life: one line of CloudWatch's embedded metric format (CloudWatch user guide,
 * "Specification: Embedded metric format"), from which CloudWatch Logs makes the metric.
 */
export function sweepCompleted({ deployment, ...counts }: SweepCounts, now: Date): void {
  console.log(
    JSON.stringify({
      _aws: {
        Timestamp: now.getTime(),
        CloudWatchMetrics: [
          {
            Namespace: 'Keyturn',
            Dimensions: [['Deployment']],
            Metrics: [{ Name: 'SweepCompleted', Unit: 'Count' }],
          },
        ],
      },
      Deployment: deployment,
      SweepCompleted: 1,
      ...counts,
    }),
  );
}
