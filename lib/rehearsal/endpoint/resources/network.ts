/**
 * A VPC, as far as other resources refer to what is in it. Nothing is filtered: every function of the endpoint
 * reaches what this machine reaches.
 */
import { region } from '../wire.ts';
import type { Creator } from './plane.ts';
import { physicalName } from './plane.ts';

export const network: Readonly<Record<string, Creator>> = {
  'AWS::EC2::SecurityGroup': (resource) => {
    const id = idOf('sg', physicalName(resource, undefined, 255));
    return { ref: id, attributes: { GroupId: id } };
  },

  // Attributes: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpoint.html
  'AWS::EC2::VPCEndpoint': (resource) => {
    const id = idOf('vpce', physicalName(resource, undefined, 255));
    const service = String(resource.properties.ServiceName).split('.').at(-1) ?? '';
    const name = (zone: string) =>
      `Z00REHEARSAL:${id}-rehearse${zone}.${service}.${region}.vpce.amazonaws.com`;
    return { ref: id, attributes: { Id: id, DnsEntries: [name(''), name(`-${region}a`)] } };
  },
};

/** The suffix of a physical name is made of hexadecimal digits, as an id is. */
function idOf(prefix: string, name: string): string {
  return `${prefix}-${name.slice(-12).toLowerCase().padStart(17, '0')}`;
}
