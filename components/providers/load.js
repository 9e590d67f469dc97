// What package.json exports as `agentweave-mesh/providers`, a name that is in the state of every stack: the providers of all dynamic resources, by
// their kind.
/* global require, module, process, __dirname */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, as `load` is */
const fs = require("node:fs");
const path = require("node:path");
const load = require("../../load");

// The engine holds the other end of this process's input. One that was killed has not ended its plugins, and this one would go on for minutes with what
// it was asked for, beside whatever is run next: a relationship could be made after a `destroy`.
const input = fs.fstatSync(0);
if (input.isFIFO() || input.isSocket()) process.stdin.once("end", () => process.exit(1)).resume();

module.exports = load(path.join(__dirname, "providers.ts")).providers;
