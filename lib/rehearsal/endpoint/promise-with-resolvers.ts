/**
 * `Promise.withResolvers` for Node 20: aws-local-stepfunctions 3 calls it, and Node has it since 22.
 * Import this file before that package runs anything.
 */

if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: function withResolvers<T>(): object {
      let resolve: ((value: T | PromiseLike<T>) => void) | undefined;
      let reject: ((reason?: unknown) => void) | undefined;
      const promise = new Promise<T>((whenResolved, whenRejected) => {
        resolve = whenResolved;
        reject = whenRejected;
      });
      return { promise, resolve, reject };
    },
  });
}

export {};
