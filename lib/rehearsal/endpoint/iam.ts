/** IAM: the template's roles, and whether one of them may make a call. */

import { lastPart } from './arn.ts';
import type { AccessRequest, Statement } from './policy.ts';
import { decide, parsePolicy } from './policy.ts';
import type { Caller, Json, JsonObject } from './wire.ts';
import { AwsError, account } from './wire.ts';

/** What an operation touches: `authorise` asks once for each action on each resource. */
export interface Access {
  /** The action, when it is not the operation's own name. */
  readonly action?: string;
  readonly resource: string;
  /** Condition keys and their values in this request. */
  readonly context?: Readonly<Record<string, readonly string[]>>;
  /** The sentence of the refusal, where AWS has another than IAM's. */
  readonly refusal?: string;
}

export interface RequireOptions {
  readonly context?: Readonly<Record<string, readonly string[]>>;
  /** Whose session the refusal names. */
  readonly functionArn?: string | null;
  readonly refusal?: string | undefined;
}

/** Per service (its signing name): what an operation with this input touches. */
export type AccessResolver = (operation: string, input: JsonObject, caller: Caller) => readonly Access[];

/** Managed policies that a role may name, with what they allow; any other is an error, not an allowance. */
const managedPolicies: Readonly<Record<string, Json>> = {
  'service-role/AWSLambdaBasicExecutionRole': {
    Statement: {
      Effect: 'Allow',
      Action: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: '*',
    },
  },
};

export class Iam {
  readonly #roles = new Map<
    string,
    { readonly policies: Statement[]; readonly trust: readonly Statement[] }
  >();
  readonly #resolvers: Readonly<Record<string, AccessResolver>>;

  constructor(resolvers: Readonly<Record<string, AccessResolver>>) {
    this.#resolvers = resolvers;
  }

  /** @param trust who may take the role (AssumeRolePolicyDocument); without it nobody asks */
  defineRole(roleArn: string, trust: Json = { Statement: [] }): void {
    this.#roles.set(roleArn, { policies: [], trust: parsePolicy(trust, `${roleArn}, trust policy`) });
  }

  /** @throws Error when the service (`lambda.amazonaws.com`) may not take the role, which AWS says at deploy */
  requireTrust(roleArn: string, principal: string): void {
    const context = new Map([['aws:sourceaccount', [account]]]);
    const request = { action: 'sts:AssumeRole', resource: roleArn, context, principal };
    if (decide(this.#roles.get(roleArn)?.trust ?? [], request) === 'allowed') return;
    throw new Error(`${roleArn} cannot be assumed by ${principal}`);
  }

  /** @throws Error when the role is unknown or the document holds what cannot be evaluated. */
  attach(roleArn: string, document: Json, where: string): void {
    const statements = this.#roles.get(roleArn)?.policies;
    if (statements === undefined) throw new Error(`${where}: there is no role ${roleArn}`);
    statements.push(...parsePolicy(document, where));
  }

  /** @throws Error for a managed policy whose content is not known here. */
  attachManaged(roleArn: string, policyArn: string): void {
    const name = policyArn.split(':policy/')[1] ?? policyArn;
    const document = managedPolicies[name];
    if (document === undefined)
      throw new Error(`${roleArn}: the rehearsal does not know managed policy ${policyArn}`);
    this.attach(roleArn, document, name);
  }

  /** Whether the role may do this; the answer says which kind of deny it met. */
  decide(roleArn: string, request: AccessRequest): 'allowed' | 'explicit deny' | 'implicit deny' {
    return decide(this.#roles.get(roleArn)?.policies ?? [], request);
  }

  /**
   * Refuses a call that the caller's role does not allow. The operator (no role) may do everything.
   * @throws AwsError AccessDeniedException with IAM's sentence.
   */
  authorise(caller: Caller, service: string, operation: string, input: JsonObject): void {
    if (caller.roleArn === null) return;
    const resolve = this.#resolvers[service];
    const touched: readonly Access[] = resolve?.(operation, input, caller) ?? [{ resource: '*' }];
    for (const { action = `${service}:${operation}`, resource, context = {}, refusal } of touched) {
      this.require(caller.roleArn, action, resource, { context, functionArn: caller.functionArn, refusal });
    }
  }

  /**
   * `authorise` for one action on one resource, as another service of the endpoint asks on behalf of a role.
   * @throws AwsError AccessDeniedException
   */
  require(
    roleArn: string,
    action: string,
    resource: string,
    { context = {}, functionArn = null, refusal }: RequireOptions = {},
  ): void {
    const keys = new Map(Object.entries(context).map(([key, values]) => [key.toLowerCase(), values]));
    keys.set('aws:principalaccount', [account]);
    keys.set('aws:securetransport', ['true']);
    const decision = this.decide(roleArn, { action, resource, context: keys });
    if (decision === 'allowed') return;
    if (refusal !== undefined) throw new AwsError('AccessDeniedException', refusal);
    const session = functionArn === null ? 'rehearsal' : lastPart(functionArn);
    const because =
      decision === 'explicit deny'
        ? 'with an explicit deny in an identity-based policy'
        : `because no identity-based policy allows the ${action} action`;
    throw new AwsError(
      'AccessDeniedException',
      `User: arn:aws:sts::${account}:assumed-role/${lastPart(roleArn)}/${session} is not authorized to perform: ${action} on resource: ${resource} ${because}`,
    );
  }
}
