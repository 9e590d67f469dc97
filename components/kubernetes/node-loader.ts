// How a pod starts a bundle.

/**
 * Program text for `node -e`, whose first argument is the path of the bundle: unpacks it in memory and runs it. The pod's root
 * file system is read-only and the bundle is larger unpacked than a ConfigMap may be, so that Node cannot be given the
 * file itself. The program's own arguments begin at `process.argv[2]`, as if it could; `parseArgs` has to be given them,
 * since it looks for `-e` by itself.
 * The text has no `$(`, which Kubernetes would take for a variable.
 */
export const LOADER = [
  `const source = require("node:zlib").gunzipSync(require("node:fs").readFileSync(process.argv[1])).toString();`,
  `const program = { exports: {} };`,
  `require("node:vm").compileFunction(source, ["require", "module", "exports"], { filename: "program.js" })(require, program, program.exports);`,
].join("\n");
