import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Tests start real servers and wait on their events; this is the limit at which a wait has failed, not a pace.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
