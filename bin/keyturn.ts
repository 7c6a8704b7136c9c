/** `keyturn`: the operators' command line. Started by keyturn.mjs. */
import { userInfo } from 'node:os';
import { runCli } from './cli/run.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  userName: () => userInfo().username,
});
