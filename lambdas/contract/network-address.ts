/**
 * Which network addresses a request of ours may go to, when the name or the answer of a resolver is not ours
 * to trust. An address that was written in another form (decimal, octal, hexadecimal, short) is not one here:
 * only the usual form counts, since two parsers may read the others differently.
 */
import { BlockList, isIP } from 'node:net';

/** A named group of addresses. `private`: a deployment may open it, or a part of it, by name. */
interface Range {
  readonly name: string;
  readonly subnets: readonly string[];
  readonly private?: true;
}

/**
 * IPv4 ranges that are not globally reachable (IANA IPv4 Special-Purpose Address Registry, RFC 6890), and the
 * one public address at which a cloud serves metadata (168.63.129.16, Azure's wire server).
 */
const ipv4Ranges: readonly Range[] = [
  { name: 'link-local', subnets: ['169.254.0.0/16'] },
  { name: 'metadata', subnets: ['168.63.129.16/32', '100.100.100.200/32'] },
  { name: 'unspecified', subnets: ['0.0.0.0/8'] },
  { name: 'loopback', subnets: ['127.0.0.0/8'] },
  { name: 'multicast', subnets: ['224.0.0.0/4'] },
  { name: 'reserved', subnets: ['240.0.0.0/4', '192.0.0.0/24', '192.88.99.0/24', '198.18.0.0/15'] },
  { name: 'documentation', subnets: ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'] },
  { name: 'private', subnets: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], private: true },
  { name: 'carrier-grade NAT', subnets: ['100.64.0.0/10'], private: true },
];

/**
 * IPv6: everything that may carry an IPv4 address inside (RFC 4291 2.5.5, RFC 6052, RFC 3056, RFC 4380) is
 * refused whole, since what is inside would be reached. `fd00:ec2::/32` is where EC2 serves metadata and other
 * services of the machine (EC2 user guide, instance metadata); it lies inside the private range.
 */
const ipv6Ranges: readonly Range[] = [
  { name: 'unspecified', subnets: ['::/128'] },
  { name: 'loopback', subnets: ['::1/128'] },
  { name: 'IPv4-mapped', subnets: ['::ffff:0:0/96', '::ffff:0:0:0/96'] },
  { name: 'IPv4-compatible', subnets: ['::/96'] },
  { name: 'NAT64', subnets: ['64:ff9b::/96', '64:ff9b:1::/48'] },
  { name: '6to4', subnets: ['2002::/16'] },
  { name: 'Teredo', subnets: ['2001::/32'] },
  { name: 'reserved', subnets: ['2001::/23'] },
  { name: 'metadata', subnets: ['fd00:ec2::/32'] },
  { name: 'link-local', subnets: ['fe80::/10', 'fec0::/10'] },
  { name: 'multicast', subnets: ['ff00::/8'] },
  { name: 'documentation', subnets: ['2001:db8::/32', '3fff::/20'] },
  { name: 'private', subnets: ['fc00::/7'], private: true },
];

/** All of IPv6 that is assigned to hosts (IANA IPv6 Global Unicast Address Assignments). */
const globalIpv6 = listOf(['2000::/3']);

const tables = {
  4: ipv4Ranges.map((range) => ({ ...range, list: listOf(range.subnets) })),
  6: ipv6Ranges.map((range) => ({ ...range, list: listOf(range.subnets) })),
} as const;

/**
 * Why an address must not be reached.
 *
 * @param allowPrivate CIDRs that `privateRangeBreaks` has accepted; they open private ranges only.
 * @returns the name of the range; null: it may be reached.
 */
export function refusedRange(address: string, allowPrivate: readonly string[] = []): string | null {
  const family = familyOf(address);
  // A scope (`fe80::1%eth0`) is part of no address that a name may have.
  if (family === null || address.includes('%')) return 'malformed';
  const range = tables[family].find(({ list }) => list.check(address, typeOf(family)));
  if (range === undefined) {
    return family === 6 && !globalIpv6.check(address, 'ipv6') ? 'reserved' : null;
  }
  if (range.private === true && listOf(sameFamily(allowPrivate, family)).check(address, typeOf(family)))
    return null;
  return range.name;
}

/** `a link-local address`, `an IPv4-mapped address`: for sentences. */
export function addressIn(range: string): string {
  return `${/^[aeiouI]/.test(range) ? 'an' : 'a'} ${range} address`;
}

/** Whether this is an IPv4 or IPv6 loopback address in its usual form: what a rehearsal may name. */
export function isLoopbackLiteral(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Whether a deployment may open this range.
 *
 * @returns the sentence of the broken rule, or null.
 */
export function privateRangeBreaks(field: string, cidr: string): string | null {
  const [address = '', length = '', ...rest] = cidr.split('/');
  const family = familyOf(address);
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (family === null || rest.length > 0 || !(bits <= (family === 4 ? 32 : 128))) {
    return `${field} must be ranges such as 10.0.0.0/8; received "${cidr}".`;
  }
  const inside = tables[family].some(
    ({ private: mayOpen, subnets, list }) =>
      mayOpen === true &&
      list.check(address, typeOf(family)) &&
      subnets.some(
        (subnet) => bits >= Number(subnet.split('/')[1]) && listOf([subnet]).check(address, typeOf(family)),
      ),
  );
  return inside
    ? null
    : `${field} must lie within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7; received "${cidr}".`;
}

function familyOf(address: string): 4 | 6 | null {
  const family = isIP(address);
  return family === 4 || family === 6 ? family : null;
}

function typeOf(family: 4 | 6): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}

function sameFamily(cidrs: readonly string[], family: 4 | 6): string[] {
  return cidrs.filter((cidr) => familyOf(cidr.split('/')[0] ?? '') === family);
}

function listOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', length] = cidr.split('/');
    list.addSubnet(address, Number(length), typeOf(familyOf(address) ?? 4));
  }
  return list;
}
