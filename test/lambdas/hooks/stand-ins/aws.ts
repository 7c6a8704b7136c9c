/** EKS and Systems Manager behind one address: JSON over HTTP, the credential scope says which is meant. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Record<string, unknown>;

/** What a host does with a script. The time is when it ends. */
export interface Run {
  readonly exitCode: number;
  readonly output: string;
}

export interface Host {
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  /** False: its agent never takes the command. */
  reachable: boolean;
  run(script: string): Promise<Run>;
}

interface Invocation {
  readonly host: string;
  status: string;
  details: string;
  output: string;
}

export interface SsmCommand {
  readonly id: string;
  readonly comment: string;
  readonly script: string;
  readonly input: Json;
  readonly requestedAt: number;
  readonly invocations: Invocation[];
  status: string;
}

export class AwsStandIn {
  readonly clusters = new Map<string, { endpoint: string; ca: string }>();
  readonly hosts: Host[] = [];
  readonly commands: SsmCommand[] = [];
  /** Every body that came in or went out. */
  readonly texts: string[] = [];
  readonly calls: string[] = [];
  /** Names of errors that the next calls are answered with. */
  readonly errors: string[] = [];
  /** The next SendCommand is done, and its answer is lost. */
  loseNextSend = false;
  now: () => number = () => Date.now();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const scope = /Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/([a-z]+)\/aws4_request/.exec(
      request.headers.authorization ?? '',
    )?.[1];
    const operation =
      String(request.headers['x-amz-target'] ?? '')
        .split('.')
        .at(-1) ?? '';
    this.calls.push(scope === 'eks' ? 'DescribeCluster' : operation);
    const error = this.errors.shift();
    const { status, object } =
      error !== undefined
        ? { status: 400, object: { __type: error, message: `quotes ${body}` } }
        : scope === 'eks'
          ? this.#describe(request.url ?? '')
          : this.#ssm(operation, body);
    const text = JSON.stringify(object);
    this.texts.push(body, text);
    if (operation === 'SendCommand' && this.loseNextSend) {
      this.loseNextSend = false;
      response.destroy();
      return;
    }
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'r-1' });
    response.end(text);
  }

  #describe(path: string): { status: number; object: Json } {
    const name = /^\/clusters\/([^/]+)$/.exec(path)?.[1] ?? '';
    const cluster = this.clusters.get(name);
    if (cluster === undefined) return { status: 404, object: { __type: 'ResourceNotFoundException' } };
    const { endpoint, ca } = cluster;
    return {
      status: 200,
      object: {
        cluster: { name, endpoint, certificateAuthority: { data: Buffer.from(ca).toString('base64') } },
      },
    };
  }

  #ssm(operation: string, body: string): { status: number; object: Json } {
    const input: Json = JSON.parse(body);
    switch (operation) {
      case 'SendCommand':
        return { status: 200, object: { Command: this.#send(input) } };
      case 'ListCommands': {
        const after = filterOf(input, 'InvokedAfter');
        const found = this.commands
          .filter(({ requestedAt }) => requestedAt >= Date.parse(after))
          .map((command) => commandShape(command))
          .reverse();
        return { status: 200, object: paged('Commands', found, input) };
      }
      case 'ListCommandInvocations': {
        const command = this.commands.find(({ id }) => id === input.CommandId);
        const found = (command?.invocations ?? []).map(({ host, status, details, output }) => ({
          CommandId: command?.id,
          InstanceId: host,
          Status: status,
          StatusDetails: details,
          // What Systems Manager keeps of an output here.
          CommandPlugins: [{ Name: 'aws:runShellScript', Output: output.slice(0, 2500) }],
        }));
        return { status: 200, object: paged('CommandInvocations', found, input) };
      }
      default:
        return { status: 400, object: { __type: 'UnknownOperationException' } };
    }
  }

  #send(input: Json): Json {
    const parameters = input.Parameters as { commands: string[]; executionTimeout: string[] };
    const targets = input.Targets as { Key: string; Values: string[] }[] | undefined;
    const ids = input.InstanceIds as string[] | undefined;
    const chosen = this.hosts.filter(({ id, tags }) =>
      targets === undefined
        ? ids?.includes(id)
        : targets.every(({ Key, Values }) => Values.includes(tags[Key.replace(/^tag:/, '')] ?? '')),
    );
    const command: SsmCommand = {
      id: randomUUID(),
      comment: String(input.Comment),
      script: parameters.commands.join('\n'),
      input,
      requestedAt: this.now(),
      invocations: chosen.map(({ id }) => ({ host: id, status: 'Pending', details: 'Pending', output: '' })),
      status: 'Pending',
    };
    this.commands.push(command);
    // A host runs several commands side by side.
    const run = this.#run(command, chosen, Number(parameters.executionTimeout[0]));
    this.ended = Promise.all([this.ended, run]).then(() => {});
    return commandShape(command);
  }

  /** Resolves when every command has ended. */
  ended: Promise<void> = Promise.resolve();

  /** One host after the other; a failure ends the command, as MaxErrors 0 says. */
  async #run(command: SsmCommand, hosts: readonly Host[], timeoutSeconds: number): Promise<void> {
    command.status = 'InProgress';
    for (const [index, host] of hosts.entries()) {
      const invocation = command.invocations[index];
      if (invocation === undefined) continue;
      if (command.status === 'Failed') {
        Object.assign(invocation, { status: 'Cancelled', details: 'Terminated' });
        continue;
      }
      if (!host.reachable) {
        Object.assign(invocation, { status: 'TimedOut', details: 'Delivery Timed Out' });
        command.status = 'Failed';
        continue;
      }
      invocation.status = 'InProgress';
      invocation.details = 'In Progress';
      const { exitCode, output } = await withLimit(host.run(command.script), timeoutSeconds);
      invocation.output = output;
      if (exitCode === 0) Object.assign(invocation, { status: 'Success', details: 'Success' });
      else {
        Object.assign(invocation, { status: 'Failed', details: 'Failed' });
        command.status = 'Failed';
      }
    }
    if (command.status === 'InProgress') command.status = 'Success';
  }
}

function withLimit(run: Promise<Run>, seconds: number): Promise<Run> {
  const limit = new Promise<Run>((resolve) => {
    setTimeout(() => resolve({ exitCode: 124, output: '' }), seconds * 1000).unref();
  });
  return Promise.race([run, limit]);
}

function filterOf(input: Json, key: string): string {
  const filters = (input.Filters ?? []) as { key: string; value: string }[];
  return filters.find((filter) => filter.key === key)?.value ?? '1970-01-01T00:00:00Z';
}

function paged(name: string, all: readonly Json[], input: Json): Json {
  const from = Number(input.NextToken ?? '0');
  const size = Math.min(Number(input.MaxResults ?? 50), 50);
  const more = from + size < all.length ? { NextToken: String(from + size) } : {};
  return { [name]: all.slice(from, from + size), ...more };
}

function commandShape({ id, comment, requestedAt, status, invocations }: SsmCommand): Json {
  return {
    CommandId: id,
    DocumentName: 'AWS-RunShellScript',
    Comment: comment,
    RequestedDateTime: requestedAt / 1000,
    Status: status,
    TargetCount: invocations.length,
  };
}
