// How the trust layer grows with the clouds: the real engine and real SPIRE servers on loopback, each reached by `exec`, of which it is counted how many run at once. `npm run bench:federation`, with numbers of clouds if others are wanted.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dump } from "js-yaml";
import { PROJECT } from "../components/project";
import { TrustFederation } from "../components/trust/federation";
import { RegistrationEntry } from "../components/trust/resources";
import { Engine, type Program } from "../rehearsal/machine/engine";
import { serverSpiffeId } from "../spiffe/spiffe-id";
import { ExecApi } from "../test/support/exec-api";
import { programPath } from "../test/support/programs";
import { spireServerBinary, TestSpireServer } from "../test/support/spire";

const CLOUDS = [2, 4, 8, 16, 30];
/** Long enough for servers that share two processors. */
const TIMEOUT_SECONDS = 600;

/** A federation of all servers, with one entry in each that names all others. */
const meshOf =
  (servers: ReadonlyMap<string, TestSpireServer>, kubeconfig: string): Program =>
  () => {
    const members = [...servers].map(([name, { trustDomain, bundleEndpointUrl }]) => ({
      name,
      bundleEndpointUrl,
      target: {
        ...{ cloud: name, trustDomain, kubeconfig, namespace: name },
        ...{ pod: "spire-server-0", container: "spire-server" },
      },
    }));
    const trust = new TrustFederation("trust", { members, timeoutSeconds: TIMEOUT_SECONDS });
    for (const { name, target } of members)
      new RegistrationEntry(`${name}-agent`, {
        target,
        spiffeId: `spiffe://${target.trustDomain}/agent`,
        parentId: serverSpiffeId(target.trustDomain),
        selectors: ["k8s:ns:agents"],
        federatesWith: trust.relationshipsOf(name),
        timeoutSeconds: TIMEOUT_SECONDS,
      });
    return Promise.resolve({});
  };

async function measure(clouds: number, folder: string, binary: string): Promise<void> {
  const servers = new Map<string, TestSpireServer>();
  const api = await ExecApi.start(({ namespace, command, input }) =>
    // Without the program's path before them and the way to its socket after them.
    servers.get(namespace)!.run(command.slice(1, -2), input),
  );
  try {
    for (let at = 1; at <= clouds; at++) {
      const server = await TestSpireServer.make(binary, `c${at}.example.org`);
      servers.set(`c${at}`, server);
      await server.start();
    }
    const dir = path.join(folder, `${clouds}`);
    mkdirSync(dir);
    writeFileSync(path.join(dir, "Pulumi.yaml"), dump({ name: "agentweave-mesh", runtime: "nodejs" }));
    const config = path.join(dir, "settings.yaml");
    writeFileSync(config, dump({ config: { "agentweave-mesh:clouds": {} } }));
    const engine = await Engine.of({
      ...{ project: dir, stack: "bench", config, dir: path.join(dir, "engine") },
      programs: { pulumi: await programPath("pulumi") },
      program: () => meshOf(servers, api.kubeconfig()),
      onOutput: () => undefined,
    });
    const relationships = clouds * (clouds - 1);
    for (const [what, operation] of [
      ["up, all new", () => engine.up()],
      ["refresh", () => engine.refresh()],
      ["up, no change", () => engine.up()],
      ["destroy", () => engine.destroy()],
    ] as const) {
      api.take();
      const began = performance.now();
      await operation();
      const seconds = (performance.now() - began) / 1000;
      const { commands, atOnce, atOnceInOne } = api.take();
      const each = ((seconds * 1000) / relationships).toFixed(0);
      const cells = [clouds, relationships, what, seconds.toFixed(1), each, commands, atOnce, atOnceInOne];
      console.log(`| ${cells.join(" | ")} |`);
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.remove()));
    await api.stop();
  }
}

async function main(): Promise<void> {
  const asked = process.argv.slice(2).map(Number);
  // Below the checkout, where the engine's plugin finds the providers.
  const tests = path.join(PROJECT, ".rehearsal-test");
  mkdirSync(tests, { recursive: true });
  const folder = mkdtempSync(path.join(tests, "bench-"));
  try {
    const binary = await spireServerBinary();
    console.log(
      "| clouds | relationships | operation | seconds | ms a relationship | commands | at once, in all | at once, in one server |",
    );
    console.log(`|${" --- |".repeat(8)}`);
    for (const clouds of asked.length > 0 ? asked : CLOUDS) await measure(clouds, folder, binary);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
