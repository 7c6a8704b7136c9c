/**
 * The runtime inside a function's own process: loads the handler, answers one invocation after the other.
 *
 * Plain JavaScript without imports of ours, because the process must hold nothing but the bundle under test.
 * It speaks with functions.ts by IPC: `{ type: 'ready' | 'init-failed' | 'result' | 'failure' }`.
 */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';

// Lambda gives a function no such variables: what the code under test prints of its environment must be Lambda's.
delete process.env.NODE_CHANNEL_FD;
delete process.env.NODE_CHANNEL_SERIALIZATION_MODE;

const handler = await load().catch((error) => {
  log('Uncaught Exception', error);
  process.send({ type: 'init-failed', ...failure(error) }, () => process.exit(1));
  return null;
});
if (handler !== null) {
  process.on('message', (message) => void answer(message));
  // The endpoint is gone: nobody will ever read an answer.
  process.on('disconnect', () => process.exit(0));
  process.on('uncaughtException', (error) => {
    log('Uncaught Exception', error);
    process.send({ type: 'failure', ...failure(error) }, () => process.exit(1));
  });
  process.on('unhandledRejection', (reason) => {
    // The runtime of Lambda names such an end Runtime.UnhandledPromiseRejection and starts afresh.
    log('Unhandled Promise Rejection', reason);
    const { errorMessage, trace } = failure(reason);
    process.send(
      { type: 'failure', errorType: 'Runtime.UnhandledPromiseRejection', errorMessage, trace },
      () => process.exit(1),
    );
  });
  process.send({ type: 'ready' });
}

async function load() {
  const [file, name] = process.env._HANDLER.split('.');
  const root = process.env.LAMBDA_TASK_ROOT;
  const found = ['.mjs', '.js', '.cjs'].map((ending) => path.join(root, file + ending)).find(existsSync);
  if (found === undefined) throw runtimeError('ImportModuleError', `Error: Cannot find module '${file}'`);
  const loaded = await import(pathToFileURL(found).href);
  const candidate = loaded[name] ?? loaded.default?.[name];
  if (candidate === undefined) {
    throw runtimeError('HandlerNotFound', `${file}.${name} is undefined or not exported`);
  }
  return candidate;
}

async function answer({ event, requestId, functionArn, deadline }) {
  const context = {
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    invokedFunctionArn: functionArn,
    awsRequestId: requestId,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  try {
    const value = await handler(event, context);
    process.send({ type: 'result', payload: value === undefined ? 'null' : JSON.stringify(value) });
  } catch (error) {
    log(`${requestId}\tERROR\tInvoke Error`, error);
    process.send({ type: 'failure', ...failure(error) });
  }
}

/** What the caller gets. Lambda sends the stack as well: it ends in the history of a state machine. */
function failure(error) {
  if (!types.isNativeError(error)) {
    return { errorType: typeof error, errorMessage: text(error), trace: [] };
  }
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}

/** What the log gets: with every enumerable field and the causes, for a canary may hide in either. */
function log(what, error) {
  console.error(`${new Date().toISOString()}\t${what}\t${JSON.stringify(fields(error, 0))}`);
}

function fields(value, depth) {
  if (!types.isNativeError(value)) return typeof value === 'object' ? value : { errorMessage: text(value) };
  const shown = { errorType: value.name, errorMessage: value.message };
  for (const key of Object.keys(value)) {
    shown[key] = depth < 5 ? fieldValue(value[key], depth + 1) : text(value[key]);
  }
  shown.stack = (value.stack ?? '').split('\n');
  if (value.cause !== undefined && depth < 5) shown.cause = fieldValue(value.cause, depth + 1);
  return shown;
}

function fieldValue(value, depth) {
  if (types.isNativeError(value)) return fields(value, depth);
  try {
    JSON.stringify(value);
    return value;
  } catch {
    return text(value);
  }
}

function text(value) {
  try {
    return String(value);
  } catch {
    return '[unprintable]';
  }
}

function runtimeError(name, message) {
  const error = new Error(message);
  error.name = `Runtime.${name}`;
  return error;
}
