/**
 * How a twin reads its environment: once, at start. A sentence names the variable, the rule and a measure of
 * what was received, never the value: what a task prints ends up in a log.
 */
import { parseGoDuration } from './go-duration.mjs';

/** @typedef {Readonly<Record<string, string | undefined>>} Environment */

/** A variable that is missing or breaks a rule. Its message may be printed. */
export class InvalidVariable extends Error {}

/**
 * Reads the settings, or ends the process with one sentence on stderr and exit code 1.
 *
 * @template Settings
 * @param {string} twin
 * @param {(environment: Environment) => Settings} read
 * @returns {Settings}
 */
export function settingsOrExit(twin, read) {
  try {
    return read(process.env);
  } catch (error) {
    if (!(error instanceof InvalidVariable)) throw error;
    process.stderr.write(`${twin}: ${error.message}\n`);
    process.exit(1);
  }
}

/**
 * A variable that must be set; blank counts as missing.
 *
 * @param {Environment} environment
 * @param {string} name
 * @returns {string}
 */
export function required(environment, name) {
  const value = environment[name] ?? '';
  if (value.trim() === '') throw new InvalidVariable(`${name} must be set; it is missing or blank.`);
  return value;
}

/**
 * A Go duration.
 *
 * @param {Environment} environment
 * @param {string} name
 * @param {string} preset what an unset or blank variable stands for
 * @returns {number} milliseconds
 */
export function duration(environment, name, preset) {
  const milliseconds = parseGoDuration(environment[name] || preset);
  if (milliseconds === null) {
    throw new InvalidVariable(`${name} must be a positive Go duration such as 15m or 1h30m; it is not.`);
  }
  return milliseconds;
}

/**
 * A whole number within limits.
 *
 * @param {Environment} environment
 * @param {string} name
 * @param {{ preset: number, least: number, most: number }} limits
 * @returns {number}
 */
export function integer(environment, name, { preset, least, most }) {
  const text = environment[name] || String(preset);
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new InvalidVariable(`${name} must be a whole number from ${least} to ${most}; it is not.`);
  }
  return value;
}

/**
 * `true` or `false`. Anything else is refused rather than guessed: a misspelt "no" must not switch a
 * production mode off.
 *
 * @param {Environment} environment
 * @param {string} name
 * @param {boolean} preset
 * @returns {boolean}
 */
export function flag(environment, name, preset) {
  const text = environment[name] || String(preset);
  if (text !== 'true' && text !== 'false') {
    throw new InvalidVariable(`${name} must be true or false; it is neither.`);
  }
  return text === 'true';
}

/**
 * @param {string} name
 * @param {string} value
 * @param {number} least characters
 * @returns {string} the value
 */
export function longEnough(name, value, least) {
  if (value.length < least) {
    throw new InvalidVariable(`${name} must have at least ${least} characters; it has ${value.length}.`);
  }
  return value;
}

/**
 * Where to listen: `PORT` is what the stand-in of ECS assigns to a task, as a port mapping would; without it
 * the platform's own variable counts. 0 takes any free port.
 *
 * @param {Environment} environment
 * @param {string} name the platform's variable
 * @param {number} preset
 * @returns {number}
 */
export function listeningPort(environment, name, preset) {
  return integer(environment, environment.PORT === undefined ? name : 'PORT', {
    preset,
    least: 0,
    most: 65_535,
  });
}
