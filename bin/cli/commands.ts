/** The commands: a command is its file and its line here. */
import type { Command } from './command.ts';
import { command as acknowledge } from './commands/acknowledge.ts';
import { command as approve } from './commands/approve.ts';
import { command as discard } from './commands/discard.ts';
import { command as plan } from './commands/plan.ts';
import { command as preflight } from './commands/preflight.ts';
import { command as reencrypt } from './commands/reencrypt.ts';
import { command as resume } from './commands/resume.ts';
import { command as rollback } from './commands/rollback.ts';
import { command as rotate } from './commands/rotate.ts';
import { command as status } from './commands/status.ts';
import { command as supply } from './commands/supply.ts';

export const commands: ReadonlyMap<string, Command> = new Map(
  [status, plan, preflight, rotate, approve, supply, resume, rollback, discard, reencrypt, acknowledge].map(
    (command) => [command.name, command],
  ),
);
