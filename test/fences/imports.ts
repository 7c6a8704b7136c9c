import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Every source file below a folder, as a path from the project's root. */
export function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .map((file) => join(folder, file))
    .sort();
}

/** What a file imports, types included: paths from the root for files of ours, names for packages. */
export function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
  );
  return [...statements].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    return name.startsWith('.') ? relative(root, resolve(root, dirname(file), name)) : name;
  });
}

/** Everything that a file reaches, itself included. */
export function reachedFrom(file: string): Set<string> {
  const seen = new Set([file]);
  const open = [file];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const name of importsOf(next)) {
      if (seen.has(name)) continue;
      seen.add(name);
      if (/\.(ts|mjs)$/.test(name) && !name.startsWith('@') && /^(bin|lib|lambdas|test)\//.test(name))
        open.push(name);
    }
  }
  return seen;
}
