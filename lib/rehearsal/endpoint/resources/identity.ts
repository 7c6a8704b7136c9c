/** Roles, policies, keys and log groups. */

import { arn, roleArn } from '../arn.ts';
import { object, objects, text, texts } from '../json-shape.ts';
import { parsePolicy } from '../policy.ts';
import type { Creator } from './plane.ts';
import { physicalName, required } from './plane.ts';

export const identity: Readonly<Record<string, Creator>> = {
  'AWS::IAM::Role': (resource, { iam }) => {
    const { RoleName, AssumeRolePolicyDocument, Policies, ManagedPolicyArns } = resource.properties;
    const name = physicalName(resource, RoleName, 64);
    const role = roleArn(name);
    iam.defineRole(role, AssumeRolePolicyDocument);
    for (const { PolicyName, PolicyDocument } of objects(Policies)) {
      iam.attach(role, PolicyDocument ?? null, `policy ${text(PolicyName) ?? ''}`);
    }
    for (const managed of texts(ManagedPolicyArns)) iam.attachManaged(role, managed);
    return { ref: name, attributes: { Arn: role, RoleId: `AROA${name}` } };
  },

  'AWS::IAM::Policy': ({ logicalId, properties }, { iam }) => {
    const { PolicyName, PolicyDocument, Roles } = properties;
    for (const role of texts(Roles)) {
      iam.attach(roleArn(role), PolicyDocument ?? null, `policy ${text(PolicyName) ?? logicalId}`);
    }
    return { ref: text(PolicyName) ?? logicalId };
  },

  'AWS::KMS::Key': (resource, { keys }) => {
    const id = physicalName(resource, undefined, 128);
    const key = arn('kms', `key/${id}`);
    keys.set(key, parsePolicy(resource.properties.KeyPolicy ?? { Statement: [] }, `key ${id}`));
    return { ref: id, attributes: { Arn: key, KeyId: id } };
  },

  'AWS::KMS::Alias': ({ properties }) => ({ ref: required(text(properties.AliasName), 'AliasName') }),

  'AWS::Logs::LogGroup': (resource) => {
    const name = physicalName(resource, resource.properties.LogGroupName, 512);
    return { ref: name, attributes: { Arn: arn('logs', `log-group:${name}:*`) } };
  },

  'AWS::IAM::ManagedPolicy': (resource, { iam }) => {
    const { PolicyDocument, Roles, ManagedPolicyName } = object(resource.properties);
    const name = physicalName(resource, ManagedPolicyName, 128);
    for (const role of texts(Roles)) iam.attach(roleArn(role), PolicyDocument ?? null, `policy ${name}`);
    return { ref: arn('iam', `policy/${name}`).replace(/:iam:[^:]*:/, ':iam::') };
  },
};
