// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of Fn::Sub
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployTemplate } from '../../../lib/rehearsal/endpoint/template.ts';
import type { Json } from '../../../lib/rehearsal/endpoint/wire.ts';
import { writeTemplate } from './fixture/template.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-template-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function deploy(Resources: object, rest = {}, exported = {}) {
  const created: { logicalId: string; properties: Json }[] = [];
  const deployed = await deployTemplate(
    await writeTemplate(directory, 'stack', Resources, rest),
    async ({ logicalId, properties, assetDirectory }) => {
      created.push({ logicalId, properties });
      if (properties.Asset !== undefined) assetDirectory(String(properties.Asset));
      return { ref: `ref-${logicalId}`, attributes: { Arn: `arn-${logicalId}`, 'Endpoint.Port': 5432 } };
    },
    exported,
  );
  return { created, deployed };
}

const template = {
  Parameters: { Stage: { Type: 'String', Default: 'prod' } },
  Mappings: { Sizes: { prod: { memory: 512 } } },
  Conditions: {
    IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
    NotProd: { 'Fn::Not': [{ Condition: 'IsProd' }] },
    Either: {
      'Fn::Or': [{ Condition: 'NotProd' }, { 'Fn::And': [{ Condition: 'IsProd' }, { Condition: 'IsProd' }] }],
    },
  },
};

const values: [sentence: string, value: Json, result: Json][] = [
  ['Ref of a resource', { Ref: 'Other' }, 'ref-Other'],
  ['Ref of a parameter', { Ref: 'Stage' }, 'prod'],
  ['Ref of a pseudo parameter', { Ref: 'AWS::Region' }, 'eu-central-1'],
  [
    'GetAtt as a list and as a text',
    [{ 'Fn::GetAtt': ['Other', 'Arn'] }, { 'Fn::GetAtt': 'Other.Endpoint.Port' }],
    ['arn-Other', 5432],
  ],
  [
    'Sub with names, attributes, own values and an escape',
    { 'Fn::Sub': ['${Other}/${Other.Arn}/${x}/${!Literal}', { x: { Ref: 'Stage' } }] },
    'ref-Other/arn-Other/prod/${Literal}',
  ],
  ['Join', { 'Fn::Join': ['-', ['a', { Ref: 'Stage' }, 3]] }, 'a-prod-3'],
  ['Select of Split', { 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b:c'] }] }, 'b'],
  ['If', { 'Fn::If': ['Either', 'yes', 'no'] }, 'yes'],
  [
    'If with AWS::NoValue',
    { a: { 'Fn::If': ['NotProd', 1, { Ref: 'AWS::NoValue' }] }, b: [{ Ref: 'AWS::NoValue' }, 2] },
    { b: [2] },
  ],
  ['FindInMap', { 'Fn::FindInMap': ['Sizes', { Ref: 'Stage' }, 'memory'] }, 512],
  ['Base64', { 'Fn::Base64': 'abc' }, 'YWJj'],
  ['ImportValue', { 'Fn::ImportValue': 'shared-bus' }, 'arn:bus'],
];

describe('a template resolves', () => {
  for (const [sentence, value, result] of values) {
    it(sentence, async () => {
      const resources = { Subject: { Type: 'T', Properties: { value } }, Other: { Type: 'T' } };
      const { created } = await deploy(resources, template, { 'shared-bus': 'arn:bus' });
      expect(created.find(({ logicalId }) => logicalId === 'Subject')?.properties).toEqual({ value: result });
    });
  }
});

describe('a template', () => {
  it('creates what is referred to first, and leaves out what a condition excludes', async () => {
    const { created, deployed } = await deploy(
      {
        A: { Type: 'T', Properties: { b: { 'Fn::Sub': '${B.Arn}' } } },
        B: { Type: 'T', DependsOn: 'C' },
        C: { Type: 'T', Properties: { d: { 'Fn::Join': ['', [{ 'Fn::GetAtt': ['D', 'Arn'] }]] } } },
        D: { Type: 'T', Condition: 'IsProd' },
        E: { Type: 'T', Condition: 'NotProd' },
      },
      { ...template, Outputs: { Bus: { Value: { Ref: 'A' }, Export: { Name: 'bus' } } } },
    );
    expect(created.map(({ logicalId }) => logicalId)).toEqual(['D', 'C', 'B', 'A']);
    expect(deployed).toMatchObject({
      stackName: 'stack',
      outputs: { Bus: 'ref-A' },
      exports: { bus: 'ref-A' },
    });
  });

  const wrong: [sentence: string, resources: object, message: RegExp][] = [
    [
      'a circle',
      { A: { Type: 'T', Properties: { b: { Ref: 'B' } } }, B: { Type: 'T', DependsOn: ['A'] } },
      /stack: circular dependency A -> B -> A/,
    ],
    [
      'a name that nothing has',
      { A: { Type: 'T', Properties: { b: { Ref: 'Nobody' } } } },
      /stack, A \(T\): there is no parameter or resource Nobody/,
    ],
    [
      'a function that is not known',
      { A: { Type: 'T', Properties: { b: { 'Fn::Cidr': [] } } } },
      /does not know Fn::Cidr/,
    ],
    [
      'a dynamic reference',
      { A: { Type: 'T', Properties: { b: '{{resolve:secretsmanager:x}}' } } },
      /no dynamic references/,
    ],
    [
      'an asset that is not there',
      { A: { Type: 'T', Properties: { Asset: 'fff' } } },
      /stack\.assets\.json has no asset fff/,
    ],
  ];
  for (const [sentence, resources, message] of wrong) {
    it(`is refused with ${sentence}`, async () => {
      await expect(deploy(resources)).rejects.toThrow(message);
    });
  }
});
