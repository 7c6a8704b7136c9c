import { KeyturnError } from '../../contract/errors.ts';

/** What an engine has not: a method that refuses, in a sentence such as `PostgreSQL cannot hold two passwords of a user.` */
export function cannot(engine: string, what: string): () => Promise<never> {
  return () =>
    Promise.reject(new KeyturnError({ code: 'TargetRefused', message: `${engine} cannot ${what}.` }));
}
