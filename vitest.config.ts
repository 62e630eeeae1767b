import { defineConfig } from "vitest/config";

/** Tests that run what is built: the command, the package, the code in the docs, the start of both in the bench. */
const BUILT = ["test/{bench,cli,dashboard,deploy,docs,examples,package,replicas}/**/*.test.ts"];
/** Tests that take longer than a check should: `npm run test:chaos`. */
const LONG = ["test/chaos/**/*.test.ts"];

export default defineConfig({
  test: {
    // Tests start real servers and wait on their events; this is the limit at which a wait has failed, not a pace.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A file for each processor; by default one is left idle. Most of what a test does is to wait for other processes.
    maxWorkers: "100%",
    reporters: ["default", "./test/helpers/tally-reporter.ts"],
    projects: [
      { extends: true, test: { name: "source", include: ["test/**/*.test.ts"], exclude: [...BUILT, ...LONG] } },
      { extends: true, test: { name: "built", include: BUILT, globalSetup: "./test/helpers/build.ts" } },
    ],
  },
});
