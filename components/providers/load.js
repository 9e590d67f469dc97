// What package.json exports as `agentweave-mesh/providers`, a name that is in the state of every stack: the providers of all dynamic resources, by
// their kind.
/* global require, module, __dirname */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, as `load` is */
const path = require("node:path");
const load = require("../../load");

module.exports = load(path.join(__dirname, "providers.ts")).providers;
