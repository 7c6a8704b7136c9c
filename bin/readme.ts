/** `npm run readme`: makes the generated parts of the README anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withGenerated } from '../lib/documentation.ts';

const file = new URL('../README.md', import.meta.url);
writeFileSync(file, withGenerated(readFileSync(file, 'utf8')));
