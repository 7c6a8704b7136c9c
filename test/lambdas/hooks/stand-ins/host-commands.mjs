/**
 * `aws` and `docker` of a host, as far as the script uses them. State lies in the JSON file KEYTURN_TEST_STATE.
 * Each call notes its arguments, and whether a value shows in the arguments or the environment of any process.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readEnvironment } from './env-file.mjs';

const stateFile = process.env.KEYTURN_TEST_STATE;
const state = JSON.parse(readFileSync(stateFile, 'utf8'));
const [, , tool, ...args] = process.argv;

watch();
if (tool === 'aws') aws();
else docker();

function save() {
  writeFileSync(stateFile, JSON.stringify(state));
}

function watch() {
  appendFileSync(`${stateFile}.calls`, `${JSON.stringify([tool, ...args])}\n`);
  for (const process_ of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const part of ['cmdline', 'environ']) {
      try {
        const text = readFileSync(`/proc/${process_}/${part}`, 'utf8');
        if (text.includes(state.canary)) appendFileSync(`${stateFile}.leaks`, `${part} of ${process_}\n`);
      } catch {
        // It ended, or is another user's.
      }
    }
  }
}

function aws() {
  const option = (name) => args[args.indexOf(name) + 1];
  const version = state.secrets[option('--secret-id')]?.[option('--version-id')];
  if (args[1] !== 'get-secret-value' || version === undefined) {
    process.stderr.write('An error occurred (ResourceNotFoundException)\n');
    process.exit(254);
  }
  process.stdout.write(`${JSON.stringify({ ARN: option('--secret-id'), SecretString: version }, null, 4)}\n`);
}

function docker() {
  if (args[0] === 'inspect') return inspect(args.slice(1));
  const [, command, ...rest] = args;
  const service = rest.at(-1);
  if (command === 'version') return;
  if (command === 'ps') {
    for (const container of state.containers.filter((one) => one.service === service)) {
      process.stdout.write(`${container.id}\n`);
    }
    return;
  }
  if (command === 'stop') return stop(service);
  if (command !== 'up') process.exit(16);
  up(service, rest);
}

/** With --force-recreate the containers are new and read the file; without it they stay as they are. */
function up(service, options) {
  const plan = state.services[service];
  const environment = readEnvironment(existsSync('.env') ? readFileSync('.env', 'utf8') : '');
  process.stderr.write(`WARN The "${Object.values(environment).join('" "')}" variable is not set\n`);
  if (plan === undefined || plan.temper === 'fails') process.exit(1);
  if (options.includes('--force-recreate') || !state.containers.some((one) => one.service === service)) {
    state.containers = state.containers.filter((one) => one.service !== service);
    for (let index = 0; index < (plan.scale ?? 1); index += 1) {
      state.containers.push({
        id: randomBytes(32).toString('hex'),
        service,
        environment,
        createdAt: Date.now(),
        startedAt: Date.now(),
        looks: 0,
      });
    }
    state.recreated.push(service);
  }
  save();
  if (plan.hang) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000);
}

/** The containers stay, and do not run. */
function stop(service) {
  const plan = state.services[service];
  if (plan === undefined) process.exit(1);
  if (plan.temper === 'unstoppable') return;
  for (const container of state.containers.filter((one) => one.service === service)) container.stopped = true;
  save();
}

function inspect(ids) {
  if (ids[0] === '--format') {
    const found = state.containers.find(({ id }) => id === ids[2]);
    if (ids[1] !== '{{.State.Running}}' || found === undefined) process.exit(1);
    process.stdout.write(`${found.stopped !== true}\n`);
    return;
  }
  const found = state.containers.filter(({ id }) => ids.includes(id));
  for (const container of found) {
    container.looks += 1;
    if (state.services[container.service].temper === 'flapping') container.startedAt = Date.now();
  }
  save();
  process.stdout.write(
    JSON.stringify(
      found.map(({ id, service, environment, createdAt, startedAt, looks, stopped }) => {
        const { temper } = state.services[service];
        const health =
          temper === 'never' || (temper === 'slow' && looks < 3) ? { Health: { Status: 'starting' } } : {};
        return {
          Id: id,
          Created: new Date(createdAt).toISOString().replace('Z', '123456Z'),
          State: {
            Status: stopped === true ? 'exited' : 'running',
            StartedAt: new Date(startedAt).toISOString().replace('Z', '123456Z'),
            ...health,
          },
          Config: { Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`) },
        };
      }),
      null,
      2,
    ),
  );
}
