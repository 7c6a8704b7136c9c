/** A deployment whose functions that log in to servers run in a VPC. */
import { resolved } from './synth.ts';

export const [database, endpoints] = ['sg-0123456789abcdef0', 'sg-11111111'] as const;
export const network = {
  vpcId: 'vpc-0123456789abcdef0',
  subnetIds: ['subnet-0123456789abcdef0', 'subnet-0fedcba9876543210'],
  targets: [
    { securityGroupId: database, port: 5432 },
    { cidr: '10.20.0.0/16', port: 443 },
  ],
};
export const deployment = {
  name: 'team',
  platform: 'ocore',
  url: 'https://ocore.example.com',
  secrets: {
    JWT_SECRET: { source: { create: { name: 'team/jwt' } }, consumers: ['backend'] },
    DATABASE_URL: {
      class: 'database-credential',
      options: { dsn: 'DATABASE_URL' },
      source: { import: { name: 'team/database' } },
      consumers: ['backend'],
    },
  },
  consumers: { backend: { kind: 'ecs', cluster: 'team', service: 'backend' } },
};
export const inNetwork = (members: object = {}) =>
  resolved({ ...deployment, network: { ...network, ...members } });
