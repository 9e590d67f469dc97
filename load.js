// Loads a TypeScript module of this repository in plain Node. esbuild turns it and all that it imports into one script in memory, in a
// tenth of the time that ts-node takes for the same files one by one.
/* global require, module, process */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, because what it compiles is */
const { buildSync } = require("esbuild");
const path = require("node:path");

/**
 * What the module exports.
 *
 * @param {string} file its absolute path. All that it imports has `__dirname` and `__filename` of this file.
 */
module.exports = function load(file) {
  const { outputFiles } = buildSync({
    absWorkingDir: path.dirname(file),
    entryPoints: [file],
    bundle: true,
    packages: "external",
    platform: "node",
    target: "node20",
    format: "cjs",
    sourcemap: "inline",
    outfile: file,
    allowOverwrite: true,
    write: false,
    logLevel: "silent",
  });
  process.setSourceMapsEnabled(true);
  const script = new module.constructor(file, module);
  Object.assign(script, { filename: file, paths: module.constructor._nodeModulePaths(path.dirname(file)) });
  script._compile(outputFiles[0].text, file);
  return script.exports;
};
