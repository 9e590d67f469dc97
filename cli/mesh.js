#!/usr/bin/env node
// Runs the command line straight from its TypeScript, from whichever directory it is called.
/* global require, process, __dirname */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, as `load` is */
const path = require("node:path");
const load = require("../load");

load(path.join(__dirname, "main.ts")).main(process.argv);
