import { defineConfig } from "vitest/config";

/** `npm run test:chaos`: what vitest.config.ts leaves out. */
export default defineConfig({
  test: {
    include: ["test/chaos/**/*.test.ts"],
    globalSetup: "./test/helpers/build.ts",
    testTimeout: 15 * 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    reporters: ["default", "./test/helpers/tally-reporter.ts"],
  },
});
