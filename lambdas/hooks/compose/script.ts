/** The script that Run Command runs on a host: POSIX sh, with Python for the file (rewrite.ts). */
import { createHash } from 'node:crypto';
import { inspectProgram, lockProgram, rewriteProgram } from './rewrite.ts';

export interface HostScript {
  readonly secretId: string;
  readonly versionId: string;
  readonly region: string;
  readonly directory: string;
  readonly file: string;
  /** Name in the file -> variable of the document. */
  readonly variables: Readonly<Record<string, string>>;
  readonly services: readonly string[];
  /** Seconds that one service has to become healthy. */
  readonly healthSeconds: number;
  /** Seconds that a container without a health check must have run. */
  readonly steadySeconds: number;
  /** When the version was published. */
  readonly since: Date;
  /** Seconds in which other secrets may bring their values before the services restart; 0: none does. */
  readonly gatherSeconds: number;
}

/** What a number means with which the script ends. */
export const exitCodes: ReadonlyMap<number, string> = new Map([
  [64, 'docker, docker compose, aws or python3 is missing on the host'],
  [65, 'the host may not read the version from Secrets Manager, or has no AWS CLI'],
  [66, 'the document lacks a variable, or one is not text'],
  [67, 'the file has a quote that is never closed'],
  [68, 'the file cannot be read or replaced'],
  [69, 'the file could not be rewritten'],
  [70, 'docker compose up failed'],
  [71, 'a service did not become healthy in time'],
  [72, 'the directory is not there'],
  [73, 'docker compose stop failed, or a container of the service still runs'],
  [75, 'another restart holds the directory'],
  [76, 'a service is stopped for another secret, whose rollout must end first'],
]);

/** A file beside the compose file for each service that is stopped while data is moved; it holds the secret's mark. */
const stoppedFile = '.keyturn-stopped.';

/** Seconds that a restart waits for another one on the same directory. */
const lockSeconds = 120;

/**
 * The whole script. Each value in it is quoted, and was checked by the schema of the consumer before; the
 * secret's value is not among them. Everything that docker prints is dropped: a warning of compose quotes
 * parts of values, the output of inspect is a container's environment.
 *
 * A service whose containers are younger than everything in the file is not made anew: this restart was done
 * before, or the one for another secret came after this value was brought. Both hold the directory while they
 * write and while they restart, so that a container has read all of the file or is older than a change of it.
 */
export function hostScript(given: HostScript): string {
  const pairs = Object.entries(given.variables).map(([name, variable]) => quoted(`${name}=${variable}`));
  return `${opening(given, ['docker', 'aws', 'python3'])}
# Lines about services, one each: name, containers, not healthy ones, oldest start, seconds.
python3 -c ${quoted(rewriteProgram)} ${quoted(given.secretId)} ${quoted(given.versionId)} ${quoted(given.region)} ${quoted(given.file)} ${pairs.join(' ')} 2>/dev/null 9<&-
code=$?
case $code in 0|10) ;; *) end "$code" ;; esac
${given.gatherSeconds > 0 ? `exec 9<&-\nsleep ${given.gatherSeconds}\nhold\n` : ''}look() {
  containers=$(docker compose ps --all --quiet "$1" 2>/dev/null 9<&-)
  [ -n "$containers" ] || { echo "0 0 - - 0"; return; }
  # One id a word.
  docker inspect $containers 2>/dev/null 9<&- | python3 -c ${quoted(inspectProgram)} ${quoted(given.file)} ${given.since.getTime()} 9<&-
}
${refuseOthers(given)}
for service in ${given.services.map(quoted).join(' ')}; do
  # From here on it may run: whoever dies in between starts it with the next try.
  rm -f "${stoppedFile}$service"
  begun=$(date +%s)
  state=$(look "$service")
  set -- $state
  if [ "\${5:-0}" -eq 0 ]; then
    docker compose up -d --force-recreate --no-deps "$service" >/dev/null 2>&1 9<&- || { echo "keyturn failed $service"; end 70; }
  fi
  steady_since=$(date +%s); last=""
  while :; do
    state=$(look "$service")
    set -- $state
    now=$(date +%s)
    # Another start time is another start: a service that flaps is never steady.
    if [ "\${4:--}" != "$last" ]; then last="\${4:--}"; steady_since=$now; fi
    if [ "\${1:-0}" -gt 0 ] && [ "\${2:-1}" -eq 0 ] && [ $((now - steady_since)) -ge ${given.steadySeconds} ]; then break; fi
    if [ $((now - begun)) -ge ${given.healthSeconds} ]; then echo "keyturn unhealthy $service"; end 71; fi
    sleep 1
  done
  echo "keyturn service $service $1 $2 $3 $((now - begun))"
done
end 0
`;
}

export type StopScript = Pick<HostScript, 'secretId' | 'directory' | 'services'>;

/**
 * Stops the services, and marks them as stopped for this secret before it does: until then the restart for another
 * secret brings its value and starts none of them. A container with `restart: always` comes back when the host or its
 * Docker daemon starts anew (Docker documentation, "Start containers automatically"); `unless-stopped` stays down.
 */
export function stopScript(given: StopScript): string {
  return `${opening(given, ['docker', 'python3'])}
${refuseOthers(given)}
for service in ${given.services.map(quoted).join(' ')}; do
  echo ${quoted(markOf(given.secretId))} >"${stoppedFile}$service" || end 68
done
for service in ${given.services.map(quoted).join(' ')}; do
  docker compose stop "$service" >/dev/null 2>&1 9<&- || { echo "keyturn failed $service"; end 73; }
  for container in $(docker compose ps --all --quiet "$service" 2>/dev/null 9<&-); do
    # Only the word is printed: the rest of what inspect knows is an environment.
    running=$(docker inspect --format '{{.State.Running}}' "$container" 2>/dev/null 9<&-)
    [ "$running" = false ] || { echo "keyturn failed $service"; end 73; }
  done
  echo "keyturn stopped $service"
done
end 0
`;
}

/** What every script begins with: the tools, the directory, and the lock on it. */
function opening({ directory }: StopScript, tools: readonly string[]): string {
  return `set -u
umask 077
PATH="$PATH:/usr/local/bin:/usr/bin:/bin:/snap/bin"; export PATH
AWS_PAGER=""; export AWS_PAGER
end() { echo "keyturn exit $1"; exit "$1"; }
for tool in ${tools.join(' ')}; do command -v "$tool" >/dev/null 2>&1 || end 64; done
docker compose version >/dev/null 2>&1 || end 64
cd ${quoted(directory)} 2>/dev/null || end 72
hold() { exec 9<. || end 72; python3 -c ${quoted(lockProgram)} ${lockSeconds} || end 75; }
hold`;
}

/** Ends the script where one of the services is stopped for another secret. */
function refuseOthers({ secretId, services }: StopScript): string {
  return `for service in ${services.map(quoted).join(' ')}; do
  [ ! -e "${stoppedFile}$service" ] || [ "$(cat "${stoppedFile}$service")" = ${quoted(markOf(secretId))} ] || { echo "keyturn failed $service"; end 76; }
done`;
}

function markOf(secretId: string): string {
  return createHash('sha256').update(secretId).digest('hex').slice(0, 16);
}

/** A word of the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What a service was like when the script ended. */
export interface ServiceReport {
  readonly service: string;
  readonly containers: number;
  readonly unhealthy: number;
  readonly oldestStart: Date | null;
}

export interface HostReport {
  readonly services: readonly ServiceReport[];
  /** The services that a stop has found without a running container. */
  readonly stopped: readonly string[];
  /** The service that did not come up or did not become healthy; null: none. */
  readonly failed: string | null;
  /** Null: the script printed no end. */
  readonly exitCode: number | null;
}

const name = '([a-zA-Z0-9][a-zA-Z0-9._-]*)';
const moment = '(-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]+))';
const serviceLine = new RegExp(`^keyturn service ${name} (\\d+) (\\d+) ${moment} (\\d+)$`);
const stoppedLine = new RegExp(`^keyturn stopped ${name}$`);
const failureLine = new RegExp(`^keyturn (?:failed|unhealthy) ${name}$`);

/** Reads the script's own lines and nothing else of the output, so that nothing else can be repeated. */
export function reportOf(output: string): HostReport {
  const lines = output.split('\n');
  const first = (pattern: RegExp) => {
    const found = lines.map((line) => pattern.exec(line)?.[1]).find((text) => text !== undefined);
    return found ?? null;
  };
  const exit = first(/^keyturn exit (\d{1,3})$/);
  return {
    services: lines.flatMap((line) => {
      const match = serviceLine.exec(line);
      if (match === null) return [];
      const [, service = '', containers, unhealthy, oldest = '-'] = match;
      return [
        {
          service,
          containers: Number(containers),
          unhealthy: Number(unhealthy),
          oldestStart: startOf(oldest),
        },
      ];
    }),
    stopped: lines.flatMap((line) => stoppedLine.exec(line)?.[1] ?? []),
    failed: first(failureLine),
    exitCode: exit === null ? null : Number(exit),
  };
}

/** Docker writes nanoseconds; a date has milliseconds. */
function startOf(text: string): Date | null {
  const at = new Date(text.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(at.getTime()) ? null : at;
}
