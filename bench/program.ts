// What the program takes of an `up`: the real engine with this program and with a bare one of as many objects, on clouds that echo, so that nothing waits for a cluster. `npm run bench:program`.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import program from "../infra/index";
import { KUBECONFIG } from "../infra/plan/fakes";
import type { Program } from "../rehearsal/machine/engine";
import type { Properties } from "../test/clouds/properties";
import { EchoStack } from "../test/clouds/suite";

const CLOUDS = [1, 2, 4, 8];

/** Seconds of each operation, and how many resources there were. */
interface Measured {
  readonly resources: number;
  readonly seconds: readonly number[];
}

const OPERATIONS = ["up, all new", "up, no change", "preview, no change"] as const;

/** A stack of clusters that exist. */
function settingsOf(clouds: number, folder: string) {
  return (settings: Properties) => {
    for (const key of Object.keys(settings)) if (!key.includes(":")) delete settings[key];
    const entries = Array.from({ length: clouds }, (_, at) => {
      const ranges = { podCidr: `10.${2 * at}.0.0/16`, serviceCidr: `10.${2 * at + 1}.0.0/16` };
      const kubeconfig = path.join(folder, `cluster-${at}`);
      writeFileSync(
        kubeconfig,
        KUBECONFIG(`context-${at}`).replace("cluster.example", `cluster-${at}.example`),
      );
      const cluster = {
        kubeconfig,
        context: `context-${at}`,
        clusterName: `cluster-${at}`,
        region: `place-${at}`,
      };
      return [`c${at}`, { provider: "existing", roles: ["agent", "worker"], ...cluster, ...ranges }];
    });
    Object.assign(settings, { clouds: Object.fromEntries(entries), network: { mode: "direct" } });
  };
}

/** A program of ConfigMaps, of as many bytes as an object of the mesh has on the average. */
const bare =
  (objects: number): Program =>
  () => {
    const provider = new k8s.Provider("bare", { kubeconfig: KUBECONFIG("one"), clusterIdentifier: "bare" });
    for (let at = 0; at < objects; at++)
      new k8s.core.v1.ConfigMap(
        `map-${at}`,
        { metadata: { name: `map-${at}`, namespace: "bare" }, data: { text: "x".repeat(2000) } },
        { provider },
      );
    return Promise.resolve({});
  };

async function measure(clouds: number, folder: string, run: Program): Promise<Measured> {
  const stack = await EchoStack.of("dev", settingsOf(clouds, folder));
  try {
    const engine = await stack.engine(undefined, run);
    const seconds: number[] = [];
    for (const operation of [() => engine.up(), () => engine.up(), () => engine.preview()]) {
      const started = performance.now();
      await operation();
      seconds.push((performance.now() - started) / 1000);
    }
    return { resources: stack.clouds.made.size, seconds };
  } finally {
    stack.clouds.stop();
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "bench-program-"));
  const line = (cells: readonly (string | number)[]) => console.log(`| ${cells.join(" | ")} |`);
  try {
    line([
      "clouds",
      "resources",
      ...OPERATIONS.map((operation) => `${operation}: seconds, and as a ratio to a bare program`),
    ]);
    line(["---", "---", ...OPERATIONS.map(() => "---")]);
    for (const clouds of CLOUDS) {
      const mesh = await measure(clouds, folder, program);
      const plain = await measure(clouds, folder, bare(mesh.resources));
      const cells = mesh.seconds.map(
        (seconds, at) => `${seconds.toFixed(1)}, ${(seconds / plain.seconds[at]!).toFixed(2)}`,
      );
      line([clouds, mesh.resources, ...cells]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
