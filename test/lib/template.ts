/** A synthesised template, read by tests: resources by type, references written as a person would name them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly properties: JsonObject;
  readonly raw: JsonObject;
}

/** The property by which each type of resource is known. */
const names: Readonly<Record<string, string>> = {
  'AWS::Lambda::Function': 'FunctionName',
  'AWS::Logs::LogGroup': 'LogGroupName',
  'AWS::SecretsManager::Secret': 'Name',
  'AWS::Events::EventBus': 'Name',
  'AWS::StepFunctions::StateMachine': 'StateMachineName',
  'AWS::SNS::Topic': 'TopicName',
};

export class Synthesised {
  private readonly resources: JsonObject;

  constructor(template: unknown) {
    this.resources = object(object(template).Resources);
  }

  static read(assembly: string, stack: string): Synthesised {
    return new Synthesised(JSON.parse(readFileSync(join(assembly, `${stack}.template.json`), 'utf8')));
  }

  /** All resources of a type, with references rendered: `<Secret exo/jwt>`, `<Key>.Arn`, `<Region>`. */
  all(type: string): Resource[] {
    return Object.entries(this.resources).flatMap(([id, resource]) => {
      const raw = object(resource);
      if (raw.Type !== type) return [];
      return [{ id, type, raw, properties: object(this.rendered(raw.Properties ?? {})) }];
    });
  }

  one(type: string, matches: (properties: JsonObject) => boolean = () => true): Resource {
    const found = this.all(type).filter(({ properties }) => matches(properties));
    const [first] = found;
    if (first === undefined || found.length > 1) throw new Error(`${found.length} of ${type}`);
    return first;
  }

  /** The statements of a function's role, all its policies together. */
  statementsOf(functionName: string): Json[] {
    const role = this.one('AWS::IAM::Role', ({ Description }) =>
      String(Description).startsWith(`What ${functionName} may do`),
    );
    if ('ManagedPolicyArns' in role.properties) throw new Error('a managed policy');
    const attached = this.all('AWS::IAM::Policy').filter(({ properties }) =>
      JSON.stringify(properties.Roles).includes(role.id),
    );
    if (attached.length > 0) throw new Error('a policy that CDK has added');
    return list(role.properties.Policies).flatMap((policy) =>
      list(object(object(policy).PolicyDocument).Statement),
    );
  }

  private rendered(value: Json): Json {
    if (Array.isArray(value)) return value.map((item) => this.rendered(item));
    if (typeof value !== 'object' || value === null) return value;
    if (typeof value.Ref === 'string') return this.reference(value.Ref);
    if (Array.isArray(value['Fn::GetAtt'])) {
      const [id, attribute] = value['Fn::GetAtt'];
      return `${this.reference(String(id))}.${String(attribute)}`;
    }
    if (Array.isArray(value['Fn::Join'])) {
      const [separator, parts] = value['Fn::Join'];
      return list(parts)
        .map((part) => String(this.rendered(part)))
        .join(String(separator));
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.rendered(member)]));
  }

  private reference(id: string): string {
    if (id.startsWith('AWS::')) return `<${id.slice('AWS::'.length)}>`;
    const resource = object(this.resources[id]);
    const type = String(resource.Type);
    const name = object(resource.Properties)[names[type] ?? ''];
    const kind = type.split('::').at(-1);
    return typeof name === 'string' ? `<${kind} ${name}>` : `<${kind}>`;
  }
}

export function object(value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new Error('not an object');
}

export function list(value: Json | undefined): Json[] {
  if (Array.isArray(value)) return value;
  throw new Error('not a list');
}
