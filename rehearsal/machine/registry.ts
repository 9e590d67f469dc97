// The registry of the rehearsal's world, from which every node pulls every image.
import { closeSync, openSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { registryConfig } from "../programs/images";
import { until } from "../proof/steps";
import { REGISTRY } from "./node-files";
import { runningIn, spawnInWorld } from "./world";

const NAME = "registry";

function answers(): Promise<true | undefined> {
  const [host, port] = REGISTRY.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host, () => resolve(true));
    socket.once("error", () => resolve(undefined)).once("close", () => socket.destroy());
    socket.once("connect", () => socket.end());
  });
}

/** Serves the images in `storage` to the nodes, if they are not served yet. Called in the world. */
export async function serveImages(root: string, storage: string, registry: string): Promise<void> {
  if (runningIn(root, NAME).length > 0) return;
  const config = path.join(root, "registry.yaml");
  writeFileSync(config, registryConfig(storage, REGISTRY));
  const log = openSync(path.join(root, "registry.log"), "a");
  spawnInWorld(root, NAME, [registry, "serve", config], log, { OTEL_TRACES_EXPORTER: "none" }).unref();
  closeSync(log);
  await until("the images' registry", answers);
}
