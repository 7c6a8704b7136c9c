import type { Found } from '../../../lambdas/contract/preflight.ts';
import { type Preflight, preflight } from '../../../lib/operations/preflight.ts';
import { subjectOf } from '../../../lib/operations/subject.ts';
import type { Paint } from '../../../lib/rehearsal/paint.ts';
import { columns } from '../columns.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export const command: Command = {
  name: 'preflight',
  summary: 'try the way to the server of a secret from where its rotation runs',
  about: 'one',
  details: `Invokes the rotation function of the secret, which reads the current value, resolves the name of the server, opens a
connection, verifies TLS, logs in, and runs the test of the class; it changes nothing. Where the options name an
administrator, its login is tried too. Each login ends at the first step that fails: no password is sent to a server
that TLS did not verify, and none that was refused is sent again.

Who may: it needs secretsmanager:DescribeSecret on the secret and lambda:InvokeFunction on the function, both by a policy
of your own. The function’s policy lets in Secrets Manager alone; give the right to operators by name, since whoever has
it can also run the steps of a rotation. The function looks at secrets of its own deployment only.

Ends with 1 when a step fails.`,
  flags: {},

  async run({ given, deployment, ports, functions, paint }) {
    const subject = subjectOf(deployment, given.secrets[0] ?? '');
    const { key } = subject.secret;
    const found = await preflight(subject, ports, await functions());
    const ok = found.steps.every((step) => step.ok);
    return {
      exitCode: ok ? exitCodes.ok : exitCodes.wrong,
      text: textOf(key, found, paint),
      json: { secret: key, ok, ...found },
    };
  },
};

function textOf(key: string, { functionName, steps }: Preflight, paint: Paint): string {
  const failures = steps.filter(({ ok }) => !ok);
  const hints = failures.flatMap(({ hint }) => (hint === null ? [] : [`  → ${hint}\n`]));
  const end =
    failures.length === 0
      ? paint('good', 'Every step passes.')
      : paint('bad', failures.map(({ of, step }) => `The ${of} fails at ${step}.`).join(' '));
  return `${paint('heading', `${key}, seen from ${functionName}`)}\n${columns(steps.map(row))}${end}\n${hints.join('')}`;
}

function row({ of, step, ok, says, code }: Found): string[] {
  return [`  ${of}`, step, ok ? 'ok' : 'failed', code === null ? says : `${says} (${code})`];
}
