// The registry of the rehearsal's world, from which every node pulls every image.
import { closeSync, openSync, writeFileSync } from "node:fs";
import path from "node:path";
import { registryConfig } from "../programs/images";
import { until } from "../proof/steps";
import { REGISTRY } from "./node-files";
import { runningIn, spawnInWorld, whenReady } from "./world";

const NAME = "registry";

/** Serves the images in `storage` to the nodes, if they are not served yet. Called in the world. */
export async function serveImages(root: string, storage: string, registry: string): Promise<void> {
  if (runningIn(root, NAME).length > 0) return;
  const config = path.join(root, "registry.yaml");
  writeFileSync(config, registryConfig(storage, REGISTRY));
  const file = path.join(root, "registry.log");
  const log = openSync(file, "a");
  const env = { OTEL_TRACES_EXPORTER: "none" };
  const server = spawnInWorld(root, NAME, [registry, "serve", config], log, env);
  closeSync(log);
  const answers = async () => (await fetch(`http://${REGISTRY}/v2/`)).ok || undefined;
  await whenReady("the images' registry", server, file, () => until("the images' registry", answers));
}
