/**
 * Metrics in CloudWatch's embedded metric format: a line in the log, from which CloudWatch Logs takes the values.
 * No call is made, so a function needs no permission and cannot fail for it.
 */
import {
  type Dimension,
  type Measurement,
  type MetricDescription,
  metricNamespace,
  metrics as table,
} from '../contract/metrics.ts';
import type { Metrics } from '../contract/ports.ts';

/**
 * Written past `console`, which the Lambda runtime prefixes with time and request id: a message must be a JSON
 * object with nothing before it (CloudWatch user guide, "Specification: Embedded metric format").
 */
export const metrics: Metrics = {
  put(measurement) {
    const line = emf(measurement, Date.now());
    if (line !== null) process.stdout.write(`${line}\n`);
  },
};

/**
 * A measurement as one line of JSON: name, unit, value and the metric's own dimensions, nothing else.
 *
 * @param now milliseconds since the epoch.
 * @returns null for a value that is no number: JSON has none, and CloudWatch would refuse the line.
 */
export function emf({ metric, value, of }: Measurement, now: number): string | null {
  if (!Number.isFinite(value)) return null;
  const { unit, dimensions }: MetricDescription = table[metric];
  const names: Readonly<Partial<Record<Dimension, string>>> = of;
  return JSON.stringify({
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: metricNamespace,
          Dimensions: dimensions,
          Metrics: [{ Name: metric, Unit: unit }],
        },
      ],
    },
    ...Object.fromEntries([...new Set(dimensions.flat())].map((name) => [name, names[name] ?? ''])),
    [metric]: value,
  });
}
