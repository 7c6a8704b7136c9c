import { fileURLToPath } from 'node:url';

/** The place of a function's code, in tests of templates that do not depend on it: bundling takes longer than they do. */
export const noCode = () => fileURLToPath(new URL('./no-code/', import.meta.url));
