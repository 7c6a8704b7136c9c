/** Functions, who may invoke them, and state machines. */

import { arn } from '../arn.ts';
import { number, object, text } from '../json-shape.ts';
import type { Creator } from './plane.ts';
import { physicalName, required } from './plane.ts';

export const compute: Readonly<Record<string, Creator>> = {
  'AWS::Lambda::Function': (resource, { functions, iam }) => {
    const { FunctionName, Code, Handler, Environment, Timeout, MemorySize, Role, Runtime } =
      resource.properties;
    const runtime = text(Runtime) ?? '';
    if (!runtime.startsWith('nodejs'))
      throw new Error(`the rehearsal runs Node.js, not ${runtime || 'images'}`);
    const asset = required(text(object(Code).S3Key), 'Code.S3Key').replace(/\.zip$/, '');
    const role = required(text(Role), 'Role');
    iam.requireTrust(role, 'lambda.amazonaws.com');
    const name = physicalName(resource, FunctionName, 64);
    const functionArn = arn('lambda', `function:${name}`);
    functions.define({
      arn: functionArn,
      name,
      handler: required(text(Handler), 'Handler'),
      codeDirectory: resource.assetDirectory(asset),
      environment: Object.fromEntries(
        Object.entries(object(object(Environment).Variables)).map(([key, value]) => [key, String(value)]),
      ),
      // Lambda's own defaults: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
      timeoutSeconds: number(Timeout) ?? 3,
      memoryMb: number(MemorySize) ?? 128,
      roleArn: role,
    });
    return { ref: name, attributes: { Arn: functionArn } };
  },

  'AWS::Lambda::Permission': ({ logicalId, properties }, { functions }) => {
    const { Action, FunctionName, Principal, SourceAccount, SourceArn } = properties;
    if (Action !== 'lambda:InvokeFunction') throw new Error(`the rehearsal does not grant ${String(Action)}`);
    const named = required(text(FunctionName), 'FunctionName');
    const functionArn = named.startsWith('arn:') ? named : arn('lambda', `function:${named}`);
    if (!functions.has(functionArn)) throw new Error(`there is no function ${named}`);
    const sourceAccount = text(SourceAccount);
    const sourceArn = text(SourceArn);
    functions.permit({
      functionArn,
      principal: required(text(Principal), 'Principal'),
      ...(sourceAccount === undefined ? {} : { sourceAccount }),
      ...(sourceArn === undefined ? {} : { sourceArn }),
    });
    return { ref: logicalId };
  },

  'AWS::StepFunctions::StateMachine': (resource, { states, iam }) => {
    const {
      StateMachineName,
      StateMachineType,
      RoleArn,
      DefinitionString,
      Definition,
      DefinitionSubstitutions,
    } = resource.properties;
    if (StateMachineType === 'EXPRESS')
      throw new Error('the rehearsal runs standard state machines, not express ones');
    const role = required(text(RoleArn), 'RoleArn');
    iam.requireTrust(role, 'states.amazonaws.com');
    const written = text(DefinitionString) ?? JSON.stringify(Definition ?? {});
    const definition = Object.entries(object(DefinitionSubstitutions)).reduce(
      (json, [key, value]) => json.replaceAll(`\${${key}}`, String(value)),
      written,
    );
    const name = physicalName(resource, StateMachineName, 80);
    const machine = states.createStateMachine({ name, roleArn: role, definition });
    return { ref: machine, attributes: { Arn: machine, Name: name } };
  },
};
