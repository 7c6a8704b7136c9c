import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeyturnError } from '../../contract/errors.ts';
import { parseSettings, type Settings, settingsFile } from '../../contract/settings.ts';

/** The settings that lie beside this function's code. @throws KeyturnError SettingsInvalid. */
export function readSettings(): Settings {
  const folder = process.env.LAMBDA_TASK_ROOT ?? process.cwd();
  let text: string;
  try {
    text = readFileSync(join(folder, settingsFile), 'utf8');
  } catch (cause) {
    throw new KeyturnError({
      code: 'SettingsInvalid',
      message: `${settingsFile} must lie beside the function's code; it cannot be read.`,
      hint: 'Deploy the stack again: the function and its settings are made together.',
      cause,
    });
  }
  return parseSettings(JSON.parse(text));
}
