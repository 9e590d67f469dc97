// The program of an agent's pod: plain HTTP behind Envoy, told all it needs by its environment.
import { format } from "node:util";
import { close, listen } from "../program/lifecycle";
import { createLog } from "../program/log";
import { exitWith, untilSignal } from "../program/process";
import { agentServer } from "./server";
import { readSettings } from "./settings";
import { plainText } from "./text";

/** How long requests under way may still take once no new ones are taken. */
const FINISH_SECONDS = 20;

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const { host, port, name, cloud, region, role } = settings;
  const log = createLog({ level: settings.logLevel, fields: { cloud, region, role } });
  // What the SDK says to the console quotes requests.
  for (const level of ["debug", "info", "warn", "error"] as const)
    console[level] = (...words: unknown[]) => log[level]({ words: plainText(format(...words)) }, "A2A SDK");
  const server = agentServer({ settings, log });
  const start = async () => log.info({ name, port: await listen(server, port, host) }, "listening");
  await untilSignal(start(), async () => {
    log.info("shutting down");
    await close(server, FINISH_SECONDS);
    log.info("stopped");
  });
}

main().catch(exitWith);
