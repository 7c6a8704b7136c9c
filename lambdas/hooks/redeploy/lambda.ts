import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import { defineRedeploy } from '../../contract/hooks.ts';

/** The unpublished version (`$LATEST`) of a function; nothing of its environment. */
export interface FunctionState {
  readonly description: string;
  readonly lastModified: Date;
  readonly update: 'successful' | 'in-progress' | 'failed';
  /** How long one invocation may run, in seconds. */
  readonly timeoutSeconds: number;
  /** Changes with every update; an update that names another one is refused. */
  readonly revision: string;
}

export interface LambdaFunctions {
  state(name: string): Promise<FunctionState>;
  /** Names of the aliases that lead to a published version, at most `most` of them. */
  publishedAliases(name: string, most: number): Promise<readonly string[]>;
  /** Changes the description and nothing else. @returns false when the function was changed meanwhile. */
  describe(name: string, description: string, revision: string): Promise<boolean>;
}

const Consumer = z.object({
  kind: z.literal('lambda'),
  /** Name of the function, without a version or an alias: what runs must be the unpublished version. */
  function: z
    .string()
    .check(z.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the name of a function, without version or alias')),
});
type Consumer = z.infer<typeof Consumer>;

/** Longest description of a function (Lambda API reference, FunctionConfiguration). */
const longestDescription = 256;
/** What is written at the end of the description: when a restart was asked for. */
const mark = / ?\[keyturn (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\]$/;
const markLength = ' [keyturn 2026-01-01T00:00:00.000Z]'.length;

/**
 * Lambda refuses an update while another is in progress, which takes a minute for a function in a VPC (Lambda
 * API reference, UpdateFunctionConfiguration). Tries, and milliseconds between them.
 */
const busyTries = 30;
const busyWait = 3_000;

/**
 * A function that keeps a value from its start. An update of its configuration gives it new execution
 * environments (Lambda API reference, UpdateFunctionConfiguration). The description is the one member that
 * means nothing to the code and can be changed alone: a changed variable would need the whole environment to
 * be read and written again. The team's own description is kept; a mark with the time stands behind it.
 *
 * What a published version holds cannot be changed, so an alias on one, and provisioned concurrency, which
 * exists for published versions only (Lambda developer guide, "Configuring provisioned concurrency"), is
 * refused: publishing a new version would publish whatever lies in `$LATEST`. Such functions are for the
 * team's own deployment, by a consumer of kind `codebuild`. A caller that names a version by its number
 * cannot be seen from here.
 */
export const hook = defineRedeploy<Consumer, LambdaFunctions>({
  kind: 'lambda',
  consumer: Consumer,

  statements: ({ function: name }) => [
    {
      actions: [
        'lambda:GetFunctionConfiguration',
        'lambda:ListAliases',
        'lambda:UpdateFunctionConfiguration',
      ],
      resources: [`arn:{partition}:lambda:{region}:{account}:function:${name}`],
    },
  ],

  check: () => null,

  async begin({ function: name }, { since }, functions, clock) {
    await refusePublished(name, functions);
    for (let tries = 0; tries < busyTries; tries += 1) {
      const state = await functions.state(name);
      if (isYoung(state, since) && state.update !== 'failed') return;
      if (state.update !== 'in-progress') {
        // Never before the version, even where the clocks of two machines disagree a little.
        const at = new Date(Math.max(clock.now().getTime(), since.getTime() + 1));
        if (await functions.describe(name, marked(name, state.description, at), state.revision)) return;
      }
      await clock.sleep(busyWait);
    }
    throw new KeyturnError({
      code: 'ConsumersNotHealthy',
      message: `The function ${name} must be free to be updated; somebody else has been updating it for ${(busyTries * busyWait) / 1000} s.`,
      retryable: true,
    });
  },

  async look({ function: name }, { since }, functions, clock) {
    const state = await functions.state(name);
    if (state.lastModified <= since) {
      return { renewed: false, reason: `${name} has not been restarted since the version` };
    }
    if (state.update === 'failed') {
      return {
        renewed: false,
        reason: `the update of ${name} failed; its former environments still run`,
        over: true,
      };
    }
    if (state.update === 'in-progress')
      return { renewed: false, reason: `the update of ${name} is in progress` };
    const left = state.lastModified.getTime() + state.timeoutSeconds * 1000 - clock.now().getTime();
    if (left > 0) {
      return {
        renewed: false,
        reason: `invocations of ${name} that began before may run for ${Math.ceil(left / 1000)} s more`,
      };
    }
    // The team's own deployment takes the mark away, and has given the function new environments itself.
    return isYoung(state, since)
      ? { renewed: true }
      : {
          renewed: true,
          unproven: `${name} was changed by somebody else after the version; that this renewed its environments was not proven`,
        };
  },
});

/** Both our mark and Lambda's own time: what moves the time alone is not documented. */
function isYoung({ description, lastModified }: FunctionState, since: Date): boolean {
  const asked = mark.exec(description)?.[1];
  return asked !== undefined && new Date(asked) > since && lastModified > since;
}

function marked(name: string, description: string, at: Date): string {
  const own = description.replace(mark, '');
  if (own.length > longestDescription - markLength) {
    throw new KeyturnError({
      code: 'ConsumersNotHealthy',
      message: `The description of the function ${name} must be at most ${longestDescription - markLength} characters; it has ${own.length}.`,
      hint: 'Shorten it: Keyturn writes the time of the restart behind it.',
    });
  }
  return `${own}${own === '' ? '' : ' '}[keyturn ${at.toISOString()}]`;
}

async function refusePublished(name: string, functions: LambdaFunctions): Promise<void> {
  const aliases = await functions.publishedAliases(name, 5);
  if (aliases.length === 0) return;
  throw new KeyturnError({
    code: 'ConsumersNotHealthy',
    message: `The function ${name} must have no alias on a published version, whose environments cannot be renewed from outside; it has ${aliases.join(', ')}.`,
    hint: 'Have the team’s own deployment publish a version: a consumer of kind codebuild can start it.',
  });
}
