// The policy pack, run straight from its TypeScript by Pulumi's engine.
/* global require, process, __dirname */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, as `load` is */
const path = require("node:path");
const load = require("../../load");

// A pack has the version that the package.json of the working directory has.
process.chdir(path.join(__dirname, "../.."));
load(path.join(__dirname, "pack.ts"));
