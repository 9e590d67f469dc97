// In Pulumi's plugin for dynamic resources, before all else: counts the commands that go to SPIRE servers, and stands still at one of them until the campaign has killed its victim.
import { appendFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { Exec } from "@kubernetes/client-node";

const { CAMPAIGN_GATE: dir, CAMPAIGN_STOP: stop } = process.env;
/** Longest stand, should the campaign itself be gone. */
const LIMIT_MS = 60_000;
const nothing = new Int32Array(new SharedArrayBuffer(4));

function pass(step) {
  if (step !== stop || existsSync(`${dir}/reached`)) return;
  writeFileSync(`${dir}/reached`, "");
  const limit = Date.now() + LIMIT_MS;
  // The whole plugin stands, so that nothing goes on beside the command.
  while (!existsSync(`${dir}/go`) && Date.now() < limit) Atomics.wait(nothing, 0, 0, 5);
}

const { exec } = Exec.prototype;
Exec.prototype.exec = function (...args) {
  appendFileSync(`${dir}/commands`, ".");
  const number = statSync(`${dir}/commands`).size;
  pass(`before command ${number}`);
  const answered = args[8];
  args[8] = (status) => {
    pass(`after command ${number}`);
    answered(status);
  };
  return exec.apply(this, args);
};
