#!/usr/bin/env node
// The command is TypeScript; tsx, a dependency of Keyturn, lets Node read it.
import { register } from 'tsx/esm/api';

// The functions run on nodejs24.x; the age of the Node that runs a command is no news to who types it.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

register();
await import('./keyturn.ts');
