import * as z from 'zod/mini';
import { defineRedeploy, type Renewing, secretsPlaceholder } from '../../contract/hooks.ts';
import { longestTarget, mark, markedAt, markStatements, type SecretTags } from '../request-mark.ts';

/** The detail of a `Redeploy Requested` event: ids only. May come more than once. */
export interface RedeployRequest {
  readonly schema: 1;
  /** The secret's full ARN. */
  readonly secretId: string;
  readonly versionId: string;
  /** ISO 8601: whatever started before reads an older value. */
  readonly since: string;
  /** The tag that the team sets on the secret when everything has restarted; null: nothing is waited for. */
  readonly confirm: { readonly tag: string; readonly value: string } | null;
}

export interface RedeployRequests extends SecretTags {
  put(bus: string, request: RedeployRequest): Promise<void>;
}

/** The event's type; its source is `keyturn`, as of every event of ours. */
export const redeployRequested = 'Redeploy Requested';

const Consumer = z.object({
  kind: z.literal('eventbridge'),
  /** Name of the team's event bus, in this account and Region. */
  bus: z.string().check(z.regex(/^[A-Za-z0-9._-]{1,256}$/, 'must be the name of an event bus')),
  /**
   * How the team says that everything has restarted: `tag`, by a tag on the secret, or `none`, which counts
   * as renewed once `settleSeconds` have passed since the request, and proves nothing.
   */
  confirm: z.enum(['tag', 'none']),
  /** With `confirm: "tag"`: the tag's key, `keyturn:confirmed:` and a name of this consumer. */
  tag: z.optional(
    z
      .string()
      .check(
        z.regex(/^keyturn:confirmed:[a-z0-9-]{1,64}$/, 'must be keyturn:confirmed: and a name in lower case'),
      ),
  ),
  /** With `confirm: "none"`: seconds, 1–480. The redeploy stage has ten minutes. */
  settleSeconds: z.optional(z.int().check(z.minimum(1), z.maximum(480))),
});
type Consumer = z.infer<typeof Consumer>;

/**
 * Whatever the team runs when it gets an event. The request carries the tag that confirms it and its value,
 * `<version>@<since>`: the team copies it onto the secret (`secretsmanager:TagResource`) once everything that
 * reads the secret has restarted. The time is part of it, because a roll back publishes a version again that
 * was confirmed long ago.
 *
 * EventBridge delivers at least once (user guide, "Event delivery"), so a request that is put twice asks
 * nothing of the team that an event would not.
 */
export const hook = defineRedeploy<Consumer, RedeployRequests>({
  kind: 'eventbridge',
  consumer: Consumer,

  statements: ({ bus, confirm }) => [
    {
      actions: ['events:PutEvents'],
      resources: [`arn:{partition}:events:{region}:{account}:event-bus/${bus}`],
      conditions: {
        StringEquals: { 'events:source': 'keyturn', 'events:detail-type': redeployRequested },
      },
    },
    ...(confirm === 'tag'
      ? [{ actions: ['secretsmanager:DescribeSecret'], resources: [secretsPlaceholder] }]
      : markStatements(bus)),
  ],

  check({ bus, confirm, tag, settleSeconds }) {
    if (confirm === 'none' && bus.length > longestTarget) {
      return `bus must be at most ${longestTarget} characters with confirm "none": a tag is named after it.`;
    }
    if (confirm === 'tag' && tag === undefined)
      return 'tag must name the tag that confirms; received nothing.';
    if (confirm === 'tag' && settleSeconds !== undefined) {
      return 'settleSeconds must be left out with confirm "tag": the tag is waited for.';
    }
    if (confirm === 'none' && settleSeconds === undefined) {
      return 'settleSeconds must be given with confirm "none"; received nothing.';
    }
    if (confirm === 'none' && tag !== undefined) {
      return 'tag must be left out with confirm "none": nothing is waited for.';
    }
    return null;
  },

  async begin(consumer, renewing, requests, clock) {
    const { bus, confirm } = consumer;
    const request = requestOf(consumer, renewing);
    if (await isConfirmed(request, requests)) return;
    // Put again, it would settle again: several consumers, one after the other, would never come to an end.
    if (confirm === 'none' && (await markedAt(bus, renewing, requests)) !== null) return;
    await requests.put(bus, request);
    if (confirm === 'none') await mark(bus, renewing, clock.now(), requests);
  },

  async look(consumer, renewing, requests, clock) {
    const request = requestOf(consumer, renewing);
    if (request.confirm !== null) {
      return (await isConfirmed(request, requests))
        ? { renewed: true }
        : {
            renewed: false,
            reason: `the tag ${request.confirm.tag} does not hold ${request.confirm.value} yet`,
          };
    }
    const { bus, settleSeconds = 0 } = consumer;
    const at = await markedAt(bus, renewing, requests);
    if (at === null) return { renewed: false, reason: `${bus} has not been asked for this version` };
    const left = at.getTime() + settleSeconds * 1000 - clock.now().getTime();
    if (left > 0) {
      return {
        renewed: false,
        reason: `${bus} was asked; its consumers settle for ${Math.ceil(left / 1000)} s more`,
      };
    }
    return {
      renewed: true,
      unproven: `${bus} was asked and ${settleSeconds} s have passed; that anything restarted was not proven, since confirm is none`,
    };
  },
});

function requestOf({ tag }: Consumer, { secretId, versionId, since }: Renewing): RedeployRequest {
  const at = since.toISOString();
  return {
    schema: 1,
    secretId,
    versionId,
    since: at,
    confirm: tag === undefined ? null : { tag, value: `${versionId}@${at}` },
  };
}

async function isConfirmed(
  { secretId, confirm }: RedeployRequest,
  requests: RedeployRequests,
): Promise<boolean> {
  return confirm !== null && (await requests.tag(secretId, confirm.tag)) === confirm.value;
}
