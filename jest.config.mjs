const shared = {
  testEnvironment: "node",
  setupFilesAfterEnv: ["<rootDir>/infra/stacks.js"],
  // Types are checked by `npm run check`; here each file is only turned into CommonJS, which is what jest runs.
  transform: {
    "/node_modules/.+\\.m?js$": "<rootDir>/test/support/esbuild.mjs",
    "^.+\\.(ts|js|mjs)$": [
      "ts-jest",
      {
        diagnostics: false,
        tsconfig: {
          module: "commonjs",
          moduleResolution: "node10",
          target: "es2022",
          allowJs: true,
          esModuleInterop: true,
          isolatedModules: true,
          resolveJsonModule: true,
        },
      },
    ],
  },
  // These packages are published as ES modules only, which jest cannot require as they are.
  transformIgnorePatterns: [
    "/node_modules/(?!(@kubernetes/client-node|openid-client|oauth4webapi|jose|age-encryption|@noble|@scure)/)",
  ],
};

const withPrograms = { ...shared, globalSetup: "<rootDir>/test/support/get-programs.ts" };

/** @type {import("jest").Config} */
export default {
  // The first test of a file loads whole libraries, on machines that have other work as well.
  testTimeout: 60_000,
  // By default one processor is left to others, which on two halves the speed.
  maxWorkers: "100%",
  projects: [
    // Pure functions, and components under Pulumi's mocks.
    { ...shared, displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"] },
    // Envoy as it stands beside an agent, with real identities and decisions; and JWT-SVIDs, by the real OIDC discovery provider.
    { ...withPrograms, displayName: "envoy", testMatch: ["<rootDir>/test/envoy/**/*.test.ts"] },
    // The policy, decided by a real OPA.
    { ...withPrograms, displayName: "policies", testMatch: ["<rootDir>/test/policies/**/*.test.ts"] },
    // What Prometheus is given, checked by its own promtool.
    {
      ...withPrograms,
      displayName: "observability",
      testMatch: ["<rootDir>/test/observability/**/*.test.ts"],
    },
    // Stacks by the real engine, on clouds that echo what they are given.
    { ...withPrograms, displayName: "clouds", testMatch: ["<rootDir>/test/clouds/**/*.test.ts"] },
    // SPIRE's own programs of three minor versions.
    { ...withPrograms, displayName: "upgrade", testMatch: ["<rootDir>/test/upgrade/**/*.test.ts"] },
    // Real API servers and SPIRE servers (real ones where there are, else the stand-in) on loopback addresses.
    { ...shared, displayName: "engine", testMatch: ["<rootDir>/test/engine/**/*.test.ts"] },
  ],
  reporters: ["default", "<rootDir>/test/support/summary.mjs"],
};
