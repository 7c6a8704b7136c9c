import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/temporary.ts',
    // Far more than any takes on an idle machine: what is measured is never the time of a test.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    // Many tests wait for processes of their own: on two cores Vitest would run them one after the other.
    maxWorkers: '100%',
    env: {
      // The SDK announces the end of Node 20 on stderr; functions run on nodejs24.x, the tests on what is here.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  },
});
