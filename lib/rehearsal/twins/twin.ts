/**
 * What the rehearsal must know of a platform to run it: how its consumers start, what its secrets hold
 * before the first rotation, what people do beside the pipeline, and how its clients behave.
 */
import type { Behaviour } from '../behaviour.ts';
import type { Provider } from './provider.ts';
import type { Seeded } from './seeded.ts';

/** What a run gives to its twins. */
export interface TwinWorld {
  readonly seeded: Seeded;
  readonly provider: Provider;
  /**
   * The run's PostgreSQL: name of a database -> its address with user, password and sslmode; the database is there.
   * Left out: there is none, and nobody may use what a platform stores.
   */
  databaseUrl?(name: string): string;
  /**
   * The run's PostgreSQL, for a platform whose own login rotates: that login is there, with the databases it leads to.
   * Left out: the platform holds no session.
   */
  readonly databaseServer?: DatabaseServer;
  /** The run's Redis, for a platform whose login at it rotates. Left out: the platform holds no session at one. */
  readonly redisServer?: DatabaseServer;
}

/** Where a server answers. */
export interface DatabaseServer {
  readonly host: string;
  readonly port: number;
  /** File with the authority that vouches for it. */
  readonly authority: string;
}

/** A user of a database server and its password, as a platform reads them from its variables. */
export interface DatabaseLogin {
  readonly user: string;
  readonly password: string;
}

/** How a platform uses its PostgreSQL, or its Redis, for runs that rotate the login. */
export interface TwinDatabase {
  /** The secret's key in the deployment file. Every consumer that refers to it holds sessions, and opens new ones. */
  readonly secret: string;
  /** The databases that it leads to, the chief one first. */
  readonly databases: readonly [string, ...string[]];
  /** Where its services answer who asks them to use their sessions. Default: `/sessions`. */
  readonly path?: string;
  /** The login in the secret's variables, read as the platform does and not as Keyturn does. */
  login(variables: TwinVariables): DatabaseLogin;
}

/** Where the services of a platform answer in this run: consumer or companion -> address without a slash at the end. */
export type TwinUrls = Readonly<Record<string, string>>;

/** Variable name -> value. */
export type TwinVariables = Readonly<Record<string, string>>;

/** A variable that a task reads from a secret at its start, as ECS' `valueFrom …:MEMBER::` does. */
export interface SecretReference {
  /** Name in the task's environment. */
  readonly variable: string;
  /** The secret's key in the deployment file. */
  readonly secret: string;
  /** Member of the secret's document. */
  readonly member: string;
}

/** How one consumer of the platform runs: what a task definition and a service would say. */
export interface TwinConsumer {
  /** Program and arguments; absolute paths. */
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** Plain variables, secrets that nothing rotates yet among them. The same for every task of a run. */
  environment(world: TwinWorld, urls: TwinUrls): TwinVariables;
  readonly secrets: readonly SecretReference[];
  /** Answers 200 as soon as a task can serve. */
  readonly healthPath: string;
  /** Tasks that serve side by side. */
  readonly desiredCount: number;
}

/** A value that only a person can get. */
export interface Supplied {
  /** A person gets value number `round` (1 is the first supplied one): it is alive at once. */
  supply(world: TwinWorld, round: number): TwinVariables;
  /** The person revokes at the provider what these variables hold. May run twice. */
  revoke(world: TwinWorld, variables: TwinVariables): void;
}

export interface TwinSecret {
  /** What the secret holds before its first rotation; the target accepts it. May run twice. */
  initial(world: TwinWorld): TwinVariables;
  /** Only for values that a person supplies; else null. */
  readonly supplied: Supplied | null;
  /** Where the catalog's probe goes in a rehearsal, when it would leave the machine; else null. */
  probeUrl(world: TwinWorld): string | null;
}

/** Data that a platform keeps encrypted in its database, with the clients that use it, for one run. */
export interface StoredData {
  /** Makes the tables and fills them, before the platform starts. May run twice. Rejects when it cannot. */
  prepare(): Promise<void>;
  /** Clients that read, and clients that write and remember what was acknowledged. */
  readonly behaviours: readonly Behaviour[];
  /** Writes that were acknowledged so far: a judge that finds none has proven nothing. */
  acknowledged(): number;
  /**
   * Has the platform read back each row of which a write was acknowledged.
   * @returns a sentence for each that does not hold it any more; empty: none was lost
   */
  lost(urls: TwinUrls): Promise<readonly string[]>;
}

export interface Twin {
  /** A platform of the catalog. */
  readonly platform: string;
  /** Keys: the deployment file's consumers. */
  readonly consumers: Readonly<Record<string, TwinConsumer>>;
  /**
   * What runs beside the consumers and is none of the deployment's: started before them, restarted by nobody.
   * Default: nothing.
   */
  readonly companions?: Readonly<Record<string, TwinConsumer>>;
  /** Secrets that no rotation touches and hooks read, by their names. Default: none. */
  readonly credentials?: Readonly<Record<string, (world: TwinWorld) => TwinVariables>>;
  /** Keys: the deployment file's secrets. */
  readonly secrets: Readonly<Record<string, TwinSecret>>;
  /** Of what needs no database. */
  readonly behaviours: readonly Behaviour[];
  /** What it stores encrypted, in a world that has a database. Left out: nothing. Called once for a run. */
  stored?(world: TwinWorld): StoredData;
  /** Left out: no secret of it is a login at a database. */
  readonly database?: TwinDatabase;
  /** Left out: no secret of it is a login at a Redis. */
  readonly redis?: TwinDatabase;
  /** A person repairs the instances that do not come up. Left out: all do. */
  heal?(running: { readonly urls: TwinUrls }): Promise<void>;
}
