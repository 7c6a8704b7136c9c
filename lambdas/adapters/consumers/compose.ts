import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import type { CommandState, RunCommand } from '../../hooks/compose/api.ts';
import { hook } from '../../hooks/redeploy/compose.ts';
import {
  endpointOf,
  environmentCredentials,
  environmentRegion,
  type Signing,
  signedCall,
} from '../aws/signed.ts';
import { clock } from '../platform.ts';

const document = 'AWS-RunShellScript';
/** ListCommands and ListCommandInvocations take at most 50 (Systems Manager API reference). */
const perPage = 50;
/** A thousand commands with this document since the publication: more is another use than ours. */
const mostPages = 20;
/** Seconds within which a host must take the command; an agent asks every few seconds. */
const deliverySeconds = 120;

const Command = z.object({
  CommandId: z.string(),
  Comment: z.optional(z.string()),
  /** Seconds since the epoch, as the AWS JSON protocol writes a time. */
  RequestedDateTime: z.number(),
  Status: z.string(),
  TargetCount: z._default(z.number(), 0),
});
const Commands = z.object({ Commands: z._default(z.array(Command), []), NextToken: z.optional(z.string()) });
const Invocations = z.object({
  CommandInvocations: z._default(
    z.array(
      z.object({
        InstanceId: z.string(),
        Status: z.string(),
        StatusDetails: z._default(z.string(), ''),
        CommandPlugins: z._default(z.array(z.object({ Output: z._default(z.string(), '') })), []),
      }),
    ),
    [],
  ),
  NextToken: z.optional(z.string()),
});

/** What has not ended (API reference, Command and CommandInvocation, `Status`). */
const underWay: readonly string[] = ['Pending', 'InProgress', 'Delayed', 'Cancelling'];

/** Systems Manager, signed here: its SDK client would not fit into the bundle (adapters/aws/signed.ts). */
export function systemsManager(signing: Signing): RunCommand {
  const region = environmentRegion();

  function ask(operation: string, body: unknown, repeatable = true): Promise<unknown> {
    return signedCall(signing, {
      operation,
      endpoint: endpointOf('ssm', region),
      service: 'ssm',
      region,
      method: 'POST',
      path: '/',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `AmazonSSM.${operation}`,
      },
      body,
      repeatable,
    });
  }

  /** Every item of a list that Systems Manager gives in pages. */
  async function all<Page extends { NextToken?: string | undefined }, Item>(
    operation: string,
    input: object,
    schema: z.ZodMiniType<Page>,
    items: (page: Page) => readonly Item[],
  ): Promise<Item[]> {
    const found: Item[] = [];
    let next: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      const answer = await ask(operation, {
        ...input,
        MaxResults: perPage,
        ...(next === undefined ? {} : { NextToken: next }),
      });
      const parsed = schema.safeParse(answer);
      if (!parsed.success) {
        throw new KeyturnError({
          code: 'AwsRefused',
          message: `The answer to ${operation} must be as Systems Manager documents it; it is not.`,
        });
      }
      found.push(...items(parsed.data));
      next = parsed.data.NextToken;
      if (next === undefined || next === '') return found;
    }
    throw new KeyturnError({
      code: 'AwsRefused',
      message: `${operation} must end within ${mostPages * perPage} items; there are more.`,
    });
  }

  return {
    async sent(comment, since) {
      const commands = await all(
        'ListCommands',
        {
          Filters: [
            // Whole seconds. What is older has another comment, which names the publication.
            { key: 'InvokedAfter', value: `${since.toISOString().slice(0, 19)}Z` },
            { key: 'DocumentName', value: document },
          ],
        },
        Commands,
        (page) => page.Commands,
      );
      return commands
        .filter(({ Comment = '' }) => Comment === comment || Comment.startsWith(`${comment} `))
        .map(({ CommandId, RequestedDateTime, Status, TargetCount }) => ({
          id: CommandId,
          requestedAt: new Date(RequestedDateTime * 1000),
          // A command whose tag no host has ends with success.
          state: TargetCount === 0 && Status === 'Success' ? ('failed' as const) : stateOf(Status),
          hosts: TargetCount,
        }))
        .sort((a, b) => b.requestedAt.getTime() - a.requestedAt.getTime());
    },

    async send({ hosts, comment, script, timeoutSeconds, hostsAtOnce }) {
      await ask(
        'SendCommand',
        {
          DocumentName: document,
          Comment: comment,
          ...('instances' in hosts
            ? { InstanceIds: hosts.instances }
            : { Targets: [{ Key: `tag:${hosts.tag.key}`, Values: [hosts.tag.value] }] }),
          Parameters: { commands: [script], executionTimeout: [String(timeoutSeconds)] },
          TimeoutSeconds: deliverySeconds,
          MaxConcurrency: String(hostsAtOnce),
          // A host that fails stops the others from following it.
          MaxErrors: '0',
        },
        // Systems Manager knows no token of ours: sent twice it would run twice. The next `sent` finds it.
        false,
      );
    },

    results: (commandId) =>
      all('ListCommandInvocations', { CommandId: commandId, Details: true }, Invocations, (page) =>
        page.CommandInvocations.map(({ InstanceId, Status, StatusDetails, CommandPlugins }) => ({
          instance: InstanceId,
          state: stateOf(Status),
          detail: /^[A-Za-z ]{1,40}$/.test(StatusDetails) ? StatusDetails : Status,
          output: CommandPlugins[0]?.Output ?? '',
        })),
      ),
  };
}

function stateOf(status: string): CommandState {
  if (status === 'Success') return 'succeeded';
  return underWay.includes(status) ? 'under-way' : 'failed';
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () => hook.connect(systemsManager({ credentials: environmentCredentials, clock }));
