#!/usr/bin/env node
// Runs the command line straight from its TypeScript, from whichever directory it is called.
/* global require, process, __dirname */
/* eslint-disable @typescript-eslint/no-require-imports -- CommonJS, so that it can register ts-node before it loads anything */
require("ts-node").register({ transpileOnly: true, cwd: __dirname });
require("./main").main(process.argv);
