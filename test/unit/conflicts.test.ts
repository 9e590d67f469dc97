// What existing clusters have already under the mesh's names, against stand-ins for their API servers, on loopback.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { parseConfig } from "../../infra/config";
import { refuseConflicts } from "../../infra/conflicts";
import { KubernetesApi } from "../support/kubernetes-api";

const CLOUDS = ["edge", "onprem"];
let dir: string;
let apis: Record<string, KubernetesApi>;
let clouds: Record<string, object>;
let warnings: string[];

// It is large, and it is loaded with the first request.
beforeAll(() => import("@kubernetes/client-node"), 5 * 60_000);
beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "conflicts-"));
  apis = Object.fromEntries(
    await Promise.all(CLOUDS.map(async (cloud) => [cloud, await KubernetesApi.start()] as const)),
  );
  clouds = Object.fromEntries(
    CLOUDS.map((cloud, index) => {
      const kubeconfig = path.join(dir, cloud);
      writeFileSync(kubeconfig, apis[cloud]!.kubeconfig().replaceAll('"x"', `"${cloud}-cluster"`));
      const second = 60 + 2 * index;
      const ranges = { podCidr: `10.${second}.0.0/16`, serviceCidr: `10.${second + 1}.0.0/16` };
      return [cloud, { provider: "existing", region: "here", kubeconfig, ...ranges }];
    }),
  );
  warnings = [];
  jest.spyOn(pulumi.log, "warn").mockImplementation(async (message) => void warnings.push(message));
  await pulumi.runtime.setMocks(
    { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
    "agentweave-mesh",
    "test",
  );
});
afterEach(async () => {
  jest.restoreAllMocks();
  rmSync(dir, { recursive: true });
  await Promise.all(Object.values(apis).map((api) => api.stop()));
});

/** Looks as the program does, at the clouds of a stack with these settings. */
function look(network: object = { mode: "direct" }, more: object = {}): Promise<void> {
  const raw = { clouds, network, observability: { enabled: false } };
  return refuseConflicts({ ...parseConfig(raw, { stack: "test", projectDir: dir }), ...more });
}

const ofStack = (stack: string) => ({ annotations: { "agentweave.io/stack": stack } });

test.each([
  ["that this stack made", ofStack("agentweave-mesh/test")],
  [
    "that the program made before it told its stack",
    { labels: { "app.kubernetes.io/part-of": "agentweave-mesh" } },
  ],
])("a namespace and a driver %s are no conflict", async (_which, metadata) => {
  apis["onprem"]!.shared.set("namespaces/opa", metadata).set("csidrivers/csi.spiffe.io", metadata);
  await look();
  expect(warnings).toEqual([]);
});

test("what this stack did not make is refused, all of it at once, with what to do", async () => {
  apis["edge"]!.shared.set("csidrivers/csi.spiffe.io", { labels: { app: "spiffe-csi-driver" } });
  apis["onprem"]!.shared.set("namespaces/opa", {}).set("namespaces/spire", ofStack("agentweave-mesh/prod"));
  const why = "which this stack did not make: it would be taken over, and a destroy would delete it";
  const error = (await look().catch((thrown: unknown) => thrown)) as Error;
  expect(error.message).toMatch(/^The configuration of stack test has 3 problems:/);
  for (const line of [
    `clouds.edge: has csidriver csi.spiffe.io in its cluster, ${why} with all that it holds; remove it there`,
    `clouds.onprem: has namespace opa in its cluster, ${why} with all that it holds; remove it there`,
    `clouds.onprem: has namespace spire in its cluster of stack agentweave-mesh/prod, ${why} with all that it holds; destroy that stack`,
    "kubectl annotate --overwrite namespace spire agentweave.io/stack=agentweave-mesh/test",
  ]) {
    expect(error.message).toContain(line);
  }
});

test("a kind of another chart is refused where the cloud would have it", async () => {
  apis["onprem"]!.shared.set("customresourcedefinitions/clusterspiffeids.spire.spiffe.io", {
    labels: { "app.kubernetes.io/managed-by": "Helm" },
  });
  await look();
  clouds["onprem"] = { ...clouds["onprem"], spire: { controllerManager: {} } };
  await expect(look()).rejects.toThrow(
    /has 1 problem:\n.*clouds\.onprem: has customresourcedefinition clusterspiffeids\.spire\.spiffe\.io in its cluster, /,
  );
});

test("OpenShift is refused, and why", async () => {
  apis["edge"]!.groups = ["apps", "security.openshift.io"];
  apis["onprem"]!.groups = ["apps"];
  await expect(look()).rejects.toThrow(
    /has 1 problem:\n.*clouds\.edge: is OpenShift, which the mesh does not support: .*SecurityContextConstraints/,
  );
});

test("what the stack has no use for is nobody's conflict", async () => {
  apis["edge"]!.shared.set("namespaces/tailscale", {}).set("namespaces/observability", {});
  await look();
  const tailscale = { mode: "tailscale", tailscale: { tailnet: "t.ts.net" } };
  await expect(look(tailscale)).rejects.toThrow(/has 1 problem:.*has namespace tailscale /s);
  await expect(look({ mode: "direct" }, { observability: {} })).rejects.toThrow(
    /has 1 problem:.*has namespace observability /s,
  );
});

test("a cluster that cannot be asked is a warning, and hides nothing of the others", async () => {
  await apis["edge"]!.stop();
  await look();
  expect(warnings).toEqual([
    expect.stringMatching(
      /^edge: the Kubernetes API cannot be reached to list its API groups.* is not known\.$/,
    ),
  ]);
  apis["onprem"]!.shared.set("namespaces/opa", {});
  await expect(look()).rejects.toThrow("clouds.onprem: has namespace opa");
});

test("what one may see of a cluster is told, whatever else one may not", async () => {
  apis["edge"]!.shared.set("namespaces/opa", {}).set("namespaces/spire", {});
  // The groups, and then one of the objects that are asked for side by side.
  apis["edge"]!.refusals.push(undefined, 403);
  await expect(look()).rejects.toThrow(/has 1 problem:\n.*clouds\.edge: has namespace/);
  expect(warnings).toEqual([expect.stringMatching(/^edge: .* HTTP 403 when asked to read/)]);
});

test("a cluster that does not let one ask is a warning", async () => {
  apis["edge"]!.refusals.push(...Array.from({ length: 5 }, () => 403));
  await look();
  expect(warnings).toEqual([expect.stringMatching(/^edge: .* HTTP 403 when asked to list its API groups/)]);
});
