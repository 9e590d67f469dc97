// What Pulumi runs: the program, straight from its TypeScript.
/* global require, module, __dirname */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, as `load` is */
const path = require("node:path");
require("./stacks");
const load = require("../load");

module.exports = load(path.join(__dirname, "index.ts"));
