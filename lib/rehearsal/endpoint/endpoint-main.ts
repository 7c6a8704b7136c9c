/**
 * A stand-alone account: prints its address and runs until it is interrupted.
 *
 *     node --import tsx lib/rehearsal/endpoint/endpoint-main.ts [--port 9300] [--compression 60] [--speed 1] [--seed text] [template…]
 */

import { parseArgs } from 'node:util';
import { startAccount } from './account.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '0' },
    compression: { type: 'string', default: '1' },
    speed: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
});
const account = await startAccount({
  port: Number(values.port),
  compression: Number(values.compression),
  speed: Number(values.speed),
  ...(values.seed === undefined ? {} : { seed: values.seed }),
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void account.stop());
for (const template of positionals) await account.deploy(template);
process.stdout.write(`${account.url}\n`);
