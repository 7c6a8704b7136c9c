/** What of a deployment's `network` is refused before anything is synthesised. */
import { describe, expect, it } from 'vitest';
import { database, deployment, inNetwork, network } from './in-network.ts';
import { resolved } from './synth.ts';

const { JWT_SECRET } = deployment.secrets;

describe('a network is refused in one sentence:', () => {
  const target = network.targets[0];
  it.each<[string, object, string]>([
    [
      'a VPC by its name',
      { vpcId: 'production' },
      'network.vpcId must be the id of a VPC, as vpc-0123456789abcdef0; received "production".',
    ],
    [
      'a subnet twice',
      { subnetIds: [network.subnetIds[0], network.subnetIds[0]] },
      'network.subnetIds must name each subnet once; received ["subnet-0123456789abcdef0","subnet-0123456789abcdef0"].',
    ],
    ['no subnet', { subnetIds: [] }, 'network.subnetIds must be at least 1; received [].'],
    [
      'a subnet that is none',
      { subnetIds: ['subnet-1'] },
      'network.subnetIds.0 must be the id of a subnet, as subnet-0123456789abcdef0; received "subnet-1".',
    ],
    ['no target', { targets: [] }, 'network.targets must be at least 1; received [].'],
    [
      'a target without a port',
      { targets: [{ securityGroupId: database }] },
      'network.targets.0.port must be a number; received nothing.',
    ],
    [
      'a range that is none',
      { targets: [{ cidr: '10.0.0.256/16', port: 5432 }] },
      'network.targets.0.cidr must be an IPv4 range such as 10.0.3.0/24; received "10.0.0.256/16".',
    ],
    [
      'a rule for a range of addresses',
      { targets: [{ cidr: '10.0.0.0/16', port: 5432, openIngress: true }] },
      'network.targets.0 must not have the field openIngress: no such field is known.',
    ],
    [
      'endpoints of no kind',
      { endpoints: 'gateway' },
      'network.endpoints must be one of create, nat; received "gateway".',
    ],
    [
      'a probe that cannot get out',
      { targets: [target] },
      'network.targets must have port 443: the function of prove logs in to servers, so it runs in the VPC, and for secrets.JWT_SECRET it calls https://ocore.example.com from there; none has it. Where that address cannot be reached from the VPC, put JWT_SECRET into a deployment file of its own.',
    ],
  ])('%s', (_what, members, sentence) => {
    expect(() => inNetwork(members)).toThrow(sentence);
  });

  it('a network for functions that log in to nothing', () => {
    expect(() => resolved({ ...deployment, secrets: { JWT_SECRET }, network })).toThrow(
      'network must be left out: no function of this deployment logs in to a server.',
    );
  });

  it('but not with a NAT gateway, nor for an address of this machine', () => {
    expect(inNetwork({ targets: [target], endpoints: 'nat' }).network).not.toBeNull();
    const here = { ...deployment, url: 'http://127.0.0.1:8080', network: { ...network, targets: [target] } };
    expect(resolved(here).network).not.toBeNull();
  });
});
