// How an agent's pod starts the bundle.

/**
 * Program text for `node -e`, whose first argument is the path of the bundle: unpacks it in memory and runs it. The pod's root
 * file system is read-only and the bundle is larger unpacked than a ConfigMap may be, so that Node cannot be given the
 * file itself. The text has no `$(`, which Kubernetes would take for a variable.
 */
export const LOADER = [
  `const file = process.argv[1];`,
  `const source = require("node:zlib").gunzipSync(require("node:fs").readFileSync(file)).toString();`,
  `const agent = { exports: {} };`,
  `require("node:vm").compileFunction(source, ["require", "module", "exports"], { filename: "agent.js" })(require, agent, agent.exports);`,
].join("\n");
