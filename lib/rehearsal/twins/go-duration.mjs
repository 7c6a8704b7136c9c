/** Milliseconds of each unit of Go's `time.ParseDuration`, the format that both documents ask for. */
const units = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const whole = /^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/u;
// Longer units first: `5ms` would otherwise read as five minutes and a stray s.
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/gu;

/**
 * Reads a duration such as `15m`, `1h30m` or `1.5h`. A sign and a bare `0`, which Go takes, are refused: what
 * is read here is how long a token lives.
 *
 * @param {string} text
 * @returns {number | null} milliseconds, more than 0; null when it is no such duration
 */
export function parseGoDuration(text) {
  if (!whole.test(text)) return null;
  let milliseconds = 0;
  for (const [, amount, unit] of text.matchAll(part)) {
    milliseconds += Number(amount) * units[/** @type {keyof typeof units} */ (unit)];
  }
  return milliseconds > 0 ? milliseconds : null;
}
