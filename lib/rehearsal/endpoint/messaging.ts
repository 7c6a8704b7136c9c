/** SNS topics and SQS queues, as far as rules and dead letters need them: policies, and a record of what arrived. */

import type { Statement } from './policy.ts';
import { decide, parsePolicy } from './policy.ts';
import type { Json } from './wire.ts';
import { AwsError, account } from './wire.ts';

/** What arrived at a topic or queue. */
export interface Notification {
  /** The topic's or queue's ARN. */
  readonly destinationArn: string;
  readonly message: string;
  readonly subject: string | null;
  /** Milliseconds since the epoch, in the endpoint's time. */
  readonly at: number;
}

/** Who sends: a service with the resource it acts for, or a role that IAM has already allowed. */
export interface Sender {
  readonly principal: string;
  readonly sourceArn: string | null;
}

export class Destinations {
  readonly notifications: Notification[] = [];
  readonly #kind: 'sns' | 'sqs';
  readonly #now: () => number;
  readonly #policies = new Map<string, Statement[]>();
  readonly #keyPolicies = new Map<string, readonly Statement[]>();
  readonly #subscribers = new Map<string, ((message: string) => void)[]>();

  constructor(kind: 'sns' | 'sqs', now: () => number) {
    this.#kind = kind;
    this.#now = now;
  }

  /** @param keyPolicy of the customer's key that encrypts the messages; null: a key of AWS, or none */
  define(arn: string, keyPolicy: readonly Statement[] | null = null): void {
    this.#policies.set(arn, []);
    if (keyPolicy !== null) this.#keyPolicies.set(arn, keyPolicy);
  }

  has(arn: string): boolean {
    return this.#policies.has(arn);
  }

  /** Adds a resource policy. @throws Error when there is no such topic or queue. */
  attachPolicy(arn: string, document: Json, where: string): void {
    const statements = this.#policies.get(arn);
    if (statements === undefined) throw new Error(`${where}: there is no ${arn}`);
    statements.push(...parsePolicy(document, where));
  }

  subscribe(arn: string, receive: (message: string) => void): void {
    this.#subscribers.set(arn, [...(this.#subscribers.get(arn) ?? []), receive]);
  }

  /**
   * Takes a message.
   * @param sender null: a caller of this account whose own policy allows it, which is enough for both services
   * @throws AwsError AuthorizationError when the resource policy does not let a service in, NotFound
   */
  send(arn: string, message: string, sender: Sender | null, subject: string | null = null): void {
    const statements = this.#policies.get(arn);
    if (statements === undefined) throw new AwsError('NotFound', `${arn} does not exist`, 404);
    if (sender !== null && !this.#admits(statements, arn, sender)) {
      throw new AwsError(
        'AuthorizationError',
        `${sender.principal} may not send to ${arn}: its policy does not allow it`,
        403,
      );
    }
    if (sender !== null && !this.#mayEncrypt(arn, sender)) {
      throw new AwsError('KMSAccessDenied', `${sender.principal} may not use the key of ${arn}`);
    }
    this.notifications.push({ destinationArn: arn, message, subject, at: this.#now() });
    for (const receive of this.#subscribers.get(arn) ?? []) receive(message);
  }

  #admits(statements: readonly Statement[], arn: string, { principal, sourceArn }: Sender): boolean {
    const action = this.#kind === 'sns' ? 'sns:Publish' : 'sqs:SendMessage';
    const context = new Map<string, string[]>([
      ['aws:sourceaccount', [account]],
      ['aws:securetransport', ['true']],
    ]);
    if (sourceArn !== null) context.set('aws:sourcearn', [sourceArn]);
    return decide(statements, { action, resource: arn, context, principal }) === 'allowed';
  }
  /** https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html */
  #mayEncrypt(arn: string, { principal }: Sender): boolean {
    const statements = this.#keyPolicies.get(arn);
    if (statements === undefined) return true;
    const context = new Map([
      [`kms:encryptioncontext:aws:${this.#kind}:${this.#kind === 'sns' ? 'topicarn' : 'arn'}`, [arn]],
    ]);
    return ['kms:GenerateDataKey', 'kms:Decrypt'].every(
      (action) => decide(statements, { action, resource: '*', context, principal }) === 'allowed',
    );
  }
}
