/**
 * The deployment file's member `network`: where the functions that log in to servers run, and what they may reach
 * from there. All other functions stay outside, where they reach AWS by themselves.
 */
import * as z from 'zod/mini';

const idOf = (prefix: string, what: string) =>
  z
    .string()
    .check(
      z.regex(
        new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`),
        `must be the id of a ${what}, as ${prefix}-0123456789abcdef0`,
      ),
    );

const SecurityGroupId = idOf('sg', 'security group');
const Port = z.int().check(z.minimum(1), z.maximum(65_535));

/** An IPv4 range in CIDR form. Functions in a VPC speak IPv6 only where all their subnets do; these do not. */
const Cidr = z
  .string()
  .check(
    z.regex(
      /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|(?=\/))){4}\/([0-9]|[12]\d|3[0-2])$/,
      'must be an IPv4 range such as 10.0.3.0/24',
    ),
  );

/**
 * A security group of yours that the functions go to. Its rule that lets them in is made here, and goes with the
 * stack.
 */
const door = {
  securityGroupId: SecurityGroupId,
  /**
   * False: you let them in yourself; the stack's output says the id of their security group. For groups whose rules
   * another tool owns and would take away again. Default: true.
   */
  openIngress: z._default(z.boolean(), true),
};

const Target = z.union([
  /** The security group of a database, a cache, a load balancer. */
  z.strictObject({ ...door, port: Port }),
  /** Addresses: in a peered network, on your own premises; 0.0.0.0/0 for any, by way of a NAT gateway. */
  z.strictObject({ cidr: Cidr, port: Port }),
]);

export const Network = z.strictObject({
  vpcId: idOf('vpc', 'VPC'),
  /**
   * Private subnets of that VPC, 1–16: two or more in different Availability Zones, so that one may fail. With
   * `endpoints` at `create`, at most one for each zone: an endpoint takes no more.
   */
  subnetIds: z.array(idOf('subnet', 'subnet')).check(
    z.minLength(1),
    z.maxLength(16),
    z.refine((ids) => new Set(ids).size === ids.length, 'must name each subnet once'),
  ),
  /**
   * All that the functions may open connections to, by TCP, 1–50: the servers that they log in to, and where one of
   * them also probes or calls an HTTP address, that one. A security group has room for 60 rules.
   */
  targets: z.array(Target).check(z.minLength(1), z.maxLength(50)),
  /**
   * How the functions reach Secrets Manager and EventBridge.
   *
   * - `create` (the default): interface endpoints of the stack's own, for these functions only. They leave the names
   *   of these services alone, so that nothing else in the VPC notices them.
   * - `nat`: the subnets have a route to the internet; port 443 is open to any address.
   * - security groups of endpoints that are there, with private DNS: for `secretsmanager`, `events`, and for each
   *   other service that a re-encryption in these functions calls.
   */
  endpoints: z._default(
    z.union([
      z.enum(['create', 'nat']),
      z.array(z.strictObject(door)).check(z.minLength(1), z.maxLength(10)),
    ]),
    'create',
  ),
});
export type Network = z.infer<typeof Network>;
