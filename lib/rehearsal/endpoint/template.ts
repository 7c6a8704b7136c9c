/** A synthesised CloudFormation template: its resources in the order in which they can be created, with their values. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Scope } from './intrinsics.ts';
import { pseudoParameters, referencesOf, resolve, resolveCondition } from './intrinsics.ts';
import { object, text, texts } from './json-shape.ts';
import type { Json, JsonObject } from './wire.ts';

/** What a resource is once it exists. */
export interface Created {
  /** The value of `Ref`. */
  readonly ref: string;
  /** The values of `Fn::GetAtt`. */
  readonly attributes?: Readonly<Record<string, Json>>;
}

export interface Resource {
  readonly stackName: string;
  readonly logicalId: string;
  readonly type: string;
  /** With every function resolved. */
  readonly properties: JsonObject;
  /** The directory of an asset by its hash. @throws Error when the manifest has no such asset */
  readonly assetDirectory: (hash: string) => string;
}

/** Creates one resource. @throws Error that says what is wrong with it */
export type Create = (resource: Resource) => Promise<Created>;

export interface Deployed {
  readonly stackName: string;
  /** Logical id -> the value of Ref. */
  readonly resources: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, Json>>;
  /** Export name -> value, for Fn::ImportValue in later stacks. */
  readonly exports: Readonly<Record<string, Json>>;
}

/**
 * Deploys `<stack>.template.json`, with `<stack>.assets.json` beside it.
 * @param exported what earlier stacks export
 * @throws Error that names the stack, the resource and its type
 */
export async function deployTemplate(
  file: string,
  create: Create,
  exported: Readonly<Record<string, Json>> = {},
): Promise<Deployed> {
  const stackName = path.basename(file).replace(/\.template\.json$/, '');
  const template = object(JSON.parse(await readFile(file, 'utf8')) as Json);
  const assetDirectory = await assets(file, stackName);
  const created = new Map<string, Created>();
  const scope = scopeOf(template, stackName, created, exported);
  const declared = object(template.Resources);
  const wanted = Object.keys(declared).filter((logicalId) => {
    const condition = text(object(declared[logicalId]).Condition);
    return condition === undefined || scope.condition(condition);
  });
  for (const logicalId of creationOrder(declared, wanted, stackName)) {
    const { Type, Properties } = object(declared[logicalId]);
    const type = text(Type) ?? '';
    try {
      const properties = object(resolve(Properties ?? {}, scope));
      created.set(logicalId, await create({ stackName, logicalId, type, properties, assetDirectory }));
    } catch (error) {
      throw new Error(`${stackName}, ${logicalId} (${type}): ${message(error)}`, { cause: error });
    }
  }
  return { stackName, resources: refs(created), ...outputsOf(template, scope) };
}

function scopeOf(
  template: JsonObject,
  stackName: string,
  created: ReadonlyMap<string, Created>,
  exported: Readonly<Record<string, Json>>,
): Scope {
  const parameters = object(template.Parameters);
  const pseudo = pseudoParameters(stackName);
  const known = (value: Json | undefined, what: string): Json => {
    if (value === undefined) throw new Error(`there is no ${what}`);
    return value;
  };
  const scope: Scope = {
    ref: (name) =>
      known(
        pseudo[name] ?? created.get(name)?.ref ?? object(parameters[name]).Default,
        `parameter or resource ${name}`,
      ),
    attribute: (name, attribute) =>
      known(created.get(name)?.attributes?.[attribute], `attribute ${name}.${attribute}`),
    condition: (name) =>
      resolveCondition(known(object(template.Conditions)[name], `condition ${name}`), scope),
    mapping: (name, key, second) =>
      known(object(object(object(template.Mappings)[name])[key])[second], `mapping ${name}.${key}.${second}`),
    imported: (name) => known(exported[name], `export ${name}`),
  };
  return scope;
}

/** Each resource after everything it refers to or depends on. @throws Error that names the resources of a circle */
export function creationOrder(declared: JsonObject, wanted: readonly string[], stackName: string): string[] {
  const order: string[] = [];
  const visiting: string[] = [];
  const visit = (logicalId: string): void => {
    if (order.includes(logicalId)) return;
    if (visiting.includes(logicalId)) {
      throw new Error(`${stackName}: circular dependency ${[...visiting, logicalId].join(' -> ')}`);
    }
    visiting.push(logicalId);
    const { Properties, DependsOn } = object(declared[logicalId]);
    const needed = [...referencesOf(Properties ?? {}), ...texts(DependsOn)];
    for (const name of needed) if (wanted.includes(name)) visit(name);
    visiting.pop();
    order.push(logicalId);
  };
  for (const logicalId of wanted) visit(logicalId);
  return order;
}

async function assets(file: string, stackName: string): Promise<(hash: string) => string> {
  const manifest = path.join(path.dirname(file), `${stackName}.assets.json`);
  const content = await readFile(manifest, 'utf8').catch(() => '{}');
  const files = object(object(JSON.parse(content) as Json).files);
  return (hash) => {
    const source = text(object(object(files[hash]).source).path);
    if (source === undefined) throw new Error(`${path.basename(manifest)} has no asset ${hash}`);
    return path.resolve(path.dirname(file), source);
  };
}

function outputsOf(template: JsonObject, scope: Scope): Pick<Deployed, 'outputs' | 'exports'> {
  const declared = Object.entries(object(template.Outputs)).map(([name, output]) => {
    const { Value, Export } = object(output);
    const exportName = Export === undefined ? undefined : resolve(object(Export).Name ?? '', scope);
    return { name, value: resolve(Value ?? null, scope), exportName };
  });
  return {
    outputs: Object.fromEntries(declared.map(({ name, value }) => [name, value])),
    exports: Object.fromEntries(
      declared.flatMap(({ exportName, value }) =>
        typeof exportName === 'string' ? [[exportName, value]] : [],
      ),
    ),
  };
}

const refs = (created: ReadonlyMap<string, Created>): Record<string, string> =>
  Object.fromEntries([...created].map(([logicalId, { ref }]) => [logicalId, ref]));

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
