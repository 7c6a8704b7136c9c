import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import {
  defineRedeploy,
  gatherSeconds,
  type IamStatement,
  type Renewal,
  type Renewing,
  type Stopping,
} from '../../contract/hooks.ts';
import type { HostResult, Hosts, RunCommand, SentCommand } from '../compose/api.ts';
import { hostScript, reportOf, stopScript } from '../compose/script.ts';
import { failureOn, mayRepeat, stillRunning, stopLasts } from '../compose/stopping.ts';

/** A tag of EC2, of which IAM's own wildcards and variables are no part. */
const TagPart = (most: number) =>
  z
    .string()
    .check(
      z.regex(
        new RegExp(`^[A-Za-z0-9_.:/=+@-]{1,${most}}$`),
        'must be part of a tag, without spaces or wildcards',
      ),
    );
const Variable = z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must be the name of a variable'));

const Consumer = z.strictObject({
  kind: z.literal('compose'),
  /** Which hosts: managed nodes of Systems Manager, by id (1–50) or by one tag that they all have. */
  hosts: z.union([
    z.strictObject({
      instances: z
        .array(
          z
            .string()
            .check(
              z.regex(
                /^(i-[0-9a-f]{8}([0-9a-f]{9})?|mi-[0-9a-f]{17})$/,
                'must be the id of an EC2 instance or of a managed node',
              ),
            ),
        )
        .check(z.minLength(1), z.maxLength(50)),
    }),
    z.strictObject({ tag: z.strictObject({ key: TagPart(128), value: TagPart(256) }) }),
  ]),
  /** How many hosts restart at once, 1–50. Default: 1, so that the others serve. */
  hostsAtOnce: z._default(z.int().check(z.minimum(1), z.maximum(50)), 1),
  /** Absolute path of the directory with the compose file. */
  directory: z
    .string()
    .check(
      z.regex(
        /^(?!.*\/\.{1,2}(\/|$))(\/[A-Za-z0-9._-]+){1,20}$/,
        'must be an absolute path of the characters A–Z a–z 0–9 . _ - without . and ..',
      ),
    ),
  /** The file in it that is rewritten. Default: `.env`. Another one must be an `env_file` of the services. */
  file: z._default(
    z.string().check(z.regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}$/, 'must be the name of a file')),
    '.env',
  ),
  /** Name in the file -> variable of the document. */
  variables: z.record(Variable, Variable),
  /** What is recreated, in this order, each healthy before the next: 1–20 services of the compose file. */
  services: z
    .array(
      z
        .string()
        .check(
          z.regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/, 'must be the name of a service of the compose file'),
        ),
    )
    .check(z.minLength(1), z.maxLength(20)),
  /** Seconds that one service has to become healthy, 5–600. Default: 120. */
  healthSeconds: z._default(z.int().check(z.minimum(5), z.maximum(600)), 120),
  /** Seconds that containers must have run without another start, 1–120. Default: 5. */
  steadySeconds: z._default(z.int().check(z.minimum(1), z.maximum(120)), 5),
});
type Consumer = z.infer<typeof Consumer>;

/** Hosts that run a command at once, at most: Systems Manager takes 50 by default. */
const mostAtOnce = 50;

/** Seconds beside the waits for health: fetching, rewriting, pulling no image, another restart's lock. */
const spareSeconds = 300;

const scope = 'arn:{partition}:ssm:{region}';

/**
 * Hosts with docker compose, through Systems Manager Run Command. A container gets its environment when it is
 * created, so that a plain restart would not read the file again (Docker documentation, `docker compose
 * restart`): the services are recreated. The value is fetched on the host, whose own role must allow
 * `secretsmanager:GetSecretValue` on the secret (and `kms:Decrypt` on its key).
 */
export const hook = defineRedeploy<Consumer, RunCommand>({
  kind: 'compose',
  consumer: Consumer,

  statements: ({ hosts }) => [
    // A document of AWS has no account in its ARN.
    { actions: ['ssm:SendCommand'], resources: [`${scope}::document/AWS-RunShellScript`] },
    onHosts(hosts),
    {
      actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations'],
      resources: ['*'],
      wildcardReason:
        'Listing commands has no resource that a policy could name; it shows comments, states and the output of scripts that print no values.',
    },
  ],

  check({ variables, services, healthSeconds, steadySeconds }) {
    if (Object.keys(variables).length === 0) return 'variables must map at least one name; it is empty.';
    const doubled = services.find((service, index) => services.indexOf(service) !== index);
    if (doubled !== undefined) return `services must name each once; ${doubled} is there twice.`;
    return steadySeconds < healthSeconds
      ? null
      : `steadySeconds must be less than healthSeconds (${healthSeconds}); received ${steadySeconds}.`;
  },

  /** Without the hosts: a tag and an id may mean the same one, and two that differ cost a wait and no more. */
  restarts: ({ directory, services }) => services.map((service) => `compose/${directory}/${service}`),

  /** Needs nothing beyond the restart: it is another script on the same hosts. */
  async quiesce(consumer, stopping, systems, clock) {
    const since = new Date(clock.now().getTime() - stopLasts);
    const [last] = await systems.sent(
      `${stopCommentOf(consumer, stopping.secretId)} ${stopping.stop}`,
      since,
    );
    if (last === undefined || mayRepeat(last, clock.now())) {
      await systems.send({
        hosts: consumer.hosts,
        comment: `${stopCommentOf(consumer, stopping.secretId)} ${stopping.stop}`,
        script: stopScriptOf(consumer, stopping),
        timeoutSeconds: consumer.services.length * consumer.healthSeconds + spareSeconds,
        // Nothing is to go on serving.
        hostsAtOnce: mostAtOnce,
      });
      return { idle: false, reason: 'the hosts are asked to stop its services' };
    }
    const reason = await stillRunning(consumer, last, systems);
    return reason === null ? { idle: true } : { idle: false, reason };
  },

  async begin(consumer, renewing, systems) {
    const last = await lastSent(consumer, renewing, systems);
    if (last !== null && last.state !== 'failed') return;
    await systems.send({
      hosts: consumer.hosts,
      comment: commentOf(consumer, renewing),
      script: scriptOf(consumer, renewing),
      timeoutSeconds: consumer.services.length * consumer.healthSeconds + spareSeconds + gatherTime(renewing),
      hostsAtOnce: consumer.hostsAtOnce,
    });
  },

  async look(consumer, renewing, systems) {
    const last = await lastSent(consumer, renewing, systems);
    if (last === null) return missing('no command has been sent');
    const results = await systems.results(last.id);
    const reasons = results.flatMap((result) => lackingOn(result, consumer, renewing) ?? []);
    if (reasons.length > 0) return missing(reasons.slice(0, 5).join(', '));
    if (last.state === 'failed') return missing('the command reached no host');
    if (last.state === 'under-way') return missing('the command has not ended on all hosts');
    const wanted = 'instances' in consumer.hosts ? consumer.hosts.instances.length : Math.max(last.hosts, 1);
    return results.length >= wanted
      ? { renewed: true }
      : missing(`${results.length} of ${wanted} hosts have answered`);
  },
});

const missing = (reason: string): Renewal => ({ renewed: false, reason });

function onHosts(hosts: Hosts): IamStatement {
  const ec2 = 'arn:{partition}:ec2:{region}:{account}:instance/';
  const managed = `${scope}:{account}:managed-instance/`;
  if ('instances' in hosts) {
    return {
      actions: ['ssm:SendCommand'],
      resources: hosts.instances.map((id) => `${id.startsWith('mi-') ? managed : ec2}${id}`),
    };
  }
  return {
    actions: ['ssm:SendCommand'],
    resources: [`${ec2}*`, `${managed}*`],
    conditions: { StringEquals: { [`ssm:resourceTag/${hosts.tag.key}`]: hosts.tag.value } },
    wildcardReason: 'Hosts come and go; the condition holds it to those with the tag.',
  };
}

/** A restart that was sent before the services were stopped has not started what is stopped. */
async function lastSent(
  consumer: Consumer,
  renewing: Renewing,
  systems: RunCommand,
): Promise<SentCommand | null> {
  const [last] = await systems.sent(commentOf(consumer, renewing), renewing.since);
  if (last === undefined) return null;
  const [stop] = await systems.sent(stopCommentOf(consumer, renewing.secretId), renewing.since);
  return stop !== undefined && stop.requestedAt > last.requestedAt ? null : last;
}

/** Seconds in which other secrets may bring their values to the file before the services restart. */
function gatherTime({ shared = false }: Renewing): number {
  return shared ? gatherSeconds : 0;
}

/** Says which restart it is: the version, its publication, the secret and the consumer. At most 100 characters. */
function commentOf(consumer: Consumer, { secretId, versionId, since }: Renewing): string {
  return `keyturn ${versionId} ${digest([secretId, since.toISOString(), consumer]).slice(0, 20)}`;
}

/** Says which stop it is of: the secret and the consumer; a further word is the stop's own. At most 100 characters. */
function stopCommentOf(consumer: Consumer, secretId: string): string {
  return `keyturn stop ${digest([secretId, consumer]).slice(0, 20)}`;
}

function stopScriptOf({ directory, services }: Consumer, { secretId, stop }: Stopping): string {
  if (/^[A-Za-z0-9]{1,40}$/.test(stop)) return stopScript({ secretId, directory, services });
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: 'A stop must be named by 1–40 letters and digits.',
  });
}

function digest(what: unknown): string {
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}

/** @throws KeyturnError SettingsInvalid when what the script would hold is not an ARN and a version's id. */
function scriptOf(consumer: Consumer, renewing: Renewing): string {
  const { secretId, versionId } = renewing;
  const arn = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,512}$/.exec(
    secretId,
  );
  const region = arn?.[1];
  if (region === undefined || !/^[A-Za-z0-9-]{32,64}$/.test(versionId)) {
    throw new KeyturnError({
      code: 'SettingsInvalid',
      message: 'The secret must be named by its full ARN and its version by its id of 32–64 characters.',
    });
  }
  const { directory, file, variables, services, healthSeconds, steadySeconds } = consumer;
  return hostScript({
    ...{ secretId, versionId, region, directory, file, variables, services, healthSeconds, steadySeconds },
    since: renewing.since,
    gatherSeconds: gatherTime(renewing),
  });
}

/** What one host lacks, or null. */
function lackingOn(
  { instance, state, detail, output }: HostResult,
  { services }: Consumer,
  { since }: Renewing,
): string | null {
  if (state === 'failed') return failureOn({ instance, state, detail, output });
  const report = reportOf(output);
  if (state === 'under-way') return `${instance}: the command is under way`;
  for (const service of services) {
    const found = report.services.find((line) => line.service === service);
    if (found === undefined) return `${instance}: nothing is known of the service ${service}`;
    if (found.oldestStart === null || found.oldestStart <= since) {
      return `${instance}: the service ${service} has a container that is older than the version`;
    }
  }
  return null;
}
