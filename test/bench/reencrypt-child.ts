/** One sweep in a process of its own, for its memory. Reads what to sweep from stdin, prints its peak in bytes. */
import { text } from 'node:stream/consumers';
import { storedKey } from './reencrypt-table.ts';
import { sweep } from './reencrypt-ways.ts';

const { dsn, ca, write, old } = JSON.parse(await text(process.stdin)) as Record<string, string>;
await sweep({
  dsn: dsn ?? '',
  ca: ca ?? '',
  ring: { write: storedKey(write ?? ''), others: [storedKey(old ?? '')] },
});
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
