/**
 * The deployment file: the one JSON file in which a team says what Keyturn rotates for it. The stacks, the
 * CLI and the rehearsal read the same file.
 *
 * Here is its shape. What needs the catalog or the classes (does the platform exist, may this class be
 * scheduled) is checked where the file is resolved, in `lib/deployment`.
 */
import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';
import { Network } from './network.ts';

/** Names that end up in names of AWS resources. */
const Name = z
  .string()
  .check(
    z.regex(/^[a-z][a-z0-9-]{0,30}$/, 'must be 1–31 lower-case letters, digits and hyphens, a letter first'),
  );
const SecretKey = z
  .string()
  .check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'must look like the name of a variable'));
/** Secrets Manager's own rule for names, less a hyphen and six characters at the end, which would look like an ARN's. */
const SecretName = z.string().check(
  z.regex(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'must be 1–512 of the characters A–Z a–z 0–9 / _ + = . @ -'),
  z.refine(
    (name) => !/-[A-Za-z0-9]{6}$/.test(name),
    'must not end in a hyphen and six characters: Secrets Manager would take them for the end of an ARN',
  ),
);
const SecretArn = z
  .string()
  .check(
    z.regex(
      /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,512}-[A-Za-z0-9]{6}$/,
      'must be the full ARN of a secret, with its six characters at the end',
    ),
  );
const KeyArn = z
  .string()
  .check(
    z.regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key\/[A-Za-z0-9-]+$/, 'must be the ARN of a KMS key'),
  );

/** Where the secret lives. */
const Source = z.union([
  /** Keyturn's stack makes it, empty; its first rotation gives it its first value. */
  z.strictObject({ create: z.strictObject({ name: SecretName }) }),
  /** It exists already. `kmsKey` is needed when it is encrypted with a customer key. */
  z.strictObject({
    import: z.union([
      z.strictObject({ name: SecretName, kmsKey: z.optional(KeyArn) }),
      z.strictObject({ arn: SecretArn, kmsKey: z.optional(KeyArn) }),
    ]),
  }),
]);

const Schedule = z.strictObject({
  /** `cron(0 3 1 * ? *)`, UTC. */
  cron: z.string(),
  /** `1h`–`24h`; must end by midnight UTC. */
  window: z.string(),
});

/** A consumer or probe of some kind; the kind's own file knows the other members. */
const OfKind = z.looseObject({ kind: z.string() });

const DeploymentSecret = z.strictObject({
  /** Needed for a secret that the platform's catalog does not know; otherwise the catalog's class. */
  class: z.optional(z.string()),
  source: Source,
  /** Options of the class; they override the catalog's, member by member. */
  options: z.optional(z.record(z.string(), z.unknown())),
  /** Left out: the secret rotates on demand only. */
  schedule: z.optional(Schedule),
  /**
   * When a class that ends sessions may rotate on demand: inside the window of `schedule` only, else with
   * consent (`in-window`, the default), or `any-time`. Without a schedule there is no window to keep.
   */
  onDemand: z.optional(z.enum(['in-window', 'any-time'])),
  /** Keys of `consumers`: what must restart before the new value counts as arrived. */
  consumers: z.array(z.string()),
  /**
   * True: all consumers restart at once, as holders of one shared value should. False: one after the other, in
   * the order of `consumers`, so that a value that the first cannot use never reaches the second. Default: at
   * once for classes that end sessions, else one after the other.
   */
  together: z.optional(z.boolean()),
  /**
   * The platform's deployed instances that hold tokens of this secret, for classes that redeploy each of them:
   * how to list, redeploy and confirm them. See `lambdas/hooks/instances`.
   */
  instances: z.optional(OfKind),
  /**
   * How the data that is encrypted with this secret is moved to a new key: each of `lambdas/hooks/reencrypt`, in
   * order. A class that has a data key says whether it must be given.
   */
  reencrypt: z.optional(z.array(OfKind).check(z.minLength(1))),
  /** How to prove the new and the old value; overrides the catalog's. `null`: nothing can probe it. */
  probe: z.optional(z.nullable(OfKind)),
  /**
   * Days after which a person is reminded to supply a new value, 1–1000; weekly from then on. Only for classes
   * whose values come from a person. Default: no reminder.
   */
  remindAfterDays: z.optional(z.int().check(z.minimum(1), z.maximum(1000))),
});

export const Deployment = z.strictObject({
  /** Optional pointer to a JSON schema, for editors. */
  $schema: z.optional(z.string()),
  /** Name of this deployment: names the stack and its resources. */
  name: Name,
  /** A platform of the catalog. */
  platform: z.string(),
  /** Where the platform answers, for probes with a path only. https, or http on a loopback address. */
  url: z.optional(z.string()),
  /**
   * Addresses of further services of the platform, by name: a probe with `at` goes there instead of to `url`. A
   * rehearsal asks for the names of consumers. Default: none.
   */
  urls: z._default(z.record(Name, z.string()), {}),
  secrets: z.record(SecretKey, DeploymentSecret),
  consumers: z.record(Name, OfKind),
  /**
   * The VPC in which the functions run that log in to servers. Default: none; these functions then reach only what
   * the internet reaches.
   */
  network: z.optional(Network),
  notifications: z.optional(
    z.strictObject({
      /** Addresses that get a message when a rotation fails or a rollout stalls. */
      email: z.optional(z.array(z.email())),
    }),
  ),
  /** Minutes between two sweeps of the reconciler, 1–60. Default: 5. */
  reconcileEveryMinutes: z._default(z.int().check(z.minimum(1), z.maximum(60)), 5),
  /** Days that log lines are kept; one of CloudWatch's steps. Default: 90. */
  logRetentionDays: z._default(
    z.literal([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731]),
    90,
  ),
});
export type Deployment = z.infer<typeof Deployment>;
export type DeploymentSecret = z.infer<typeof DeploymentSecret>;

/**
 * Reads a deployment file.
 *
 * @throws KeyturnError DeploymentInvalid: one sentence with the first field that breaks a rule.
 */
export function parseDeployment(text: string, file: string): Deployment {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    // No secret can be in this file, so the parser's own words may be shown: they tell the place.
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `${file} must be JSON: ${cause instanceof Error ? cause.message : 'it cannot be read'}.`,
      cause,
    });
  }
  const result = Deployment.safeParse(json);
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `${file}: ${brokenRules(result.error.issues, json)[0] ?? 'it breaks the schema'}`,
  });
}

/** Each issue of a schema as a sentence: the field, the rule, what was received. */
export function brokenRules(issues: readonly z.core.$ZodIssue[], input: unknown): string[] {
  return issues.flatMap((issue) => {
    const nested = issue.code === 'invalid_union' ? closest(issue.errors) : undefined;
    if (nested !== undefined) {
      return brokenRules(
        nested.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
        input,
      );
    }
    const field = issue.path.length === 0 ? 'the whole' : issue.path.join('.');
    switch (issue.code) {
      case 'unrecognized_keys':
        return [`${field} must not have the field ${issue.keys.join(', ')}: no such field is known.`];
      case 'invalid_key':
        return [`${field} ${issue.issues[0]?.message ?? 'has a bad name'}.`];
      case 'invalid_type':
        return [`${field} must be ${article(issue.expected)}; received ${described(at(input, issue.path))}.`];
      case 'invalid_value':
        return [
          `${field} must be one of ${issue.values.join(', ')}; received ${described(at(input, issue.path))}.`,
        ];
      case 'too_small':
        return [`${field} must be at least ${issue.minimum}; received ${described(at(input, issue.path))}.`];
      case 'too_big':
        return [`${field} must be at most ${issue.maximum}; received ${described(at(input, issue.path))}.`];
      default:
        return [`${field} ${issue.message}; received ${described(at(input, issue.path))}.`];
    }
  });
}

/** Of a union's branches, the one that came nearest: the fewest issues, a wrong field rather than a missing one. */
function closest(
  branches: readonly (readonly z.core.$ZodIssue[])[],
): readonly z.core.$ZodIssue[] | undefined {
  const cost = (issues: readonly z.core.$ZodIssue[]) =>
    issues.reduce(
      (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 3 : issue.path.length > 1 ? 1 : 2),
      0,
    );
  return [...branches].sort((a, b) => cost(a) - cost(b))[0];
}

function at(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    input,
  );
}

function article(type: string): string {
  return type === 'array' || type === 'object' || type === 'int' ? `an ${type}` : `a ${type}`;
}

function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
