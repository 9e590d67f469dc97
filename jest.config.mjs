const shared = {
  testEnvironment: "node",
  transform: {
    "^.+\\.(ts|js|mjs)$": [
      "@swc/jest",
      { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "commonjs" } },
    ],
  },
  // These packages are published as ES modules only, which jest cannot require as they are.
  transformIgnorePatterns: ["/node_modules/(?!(@kubernetes/client-node|openid-client|oauth4webapi|jose)/)"],
};

/** @type {import("jest").Config} */
export default {
  projects: [
    // Pure functions, and components under Pulumi's mocks.
    { ...shared, displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"] },
    // Real API servers and SPIRE servers (real ones where there are, else the stand-in) on loopback addresses.
    { ...shared, displayName: "engine", testMatch: ["<rootDir>/test/engine/**/*.test.ts"] },
  ],
  reporters: ["default", "<rootDir>/test/support/summary.mjs"],
};
