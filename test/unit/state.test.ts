// What a stack keeps in its state of the objects in clusters, in every mode.
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { FIELD_MANAGER_ANNOTATION } from "../../components/kubernetes/field-manager";
import { NETWORK_MODES } from "../../components/network/mode";
import { FIELD_MANAGER } from "../../components/well-known";
import { parseConfig } from "../../infra/config";
import { AgentMesh } from "../../infra/mesh";
import { planOf, type Planned } from "../../infra/plan/plan";
import { CA_DATA } from "../support/kubeconfig";
import { record, type Registered } from "../../infra/plan/recorder";
import { stackConfig } from "../support/stack";

const lengthOf = (value: unknown) => JSON.stringify(value).length;

/**
 * Characters that the state has of a resource: its inputs, once more as outputs, and of a Kubernetes object a third time beside them; and the names of what
 * it depends on. The rest (URNs, times, positions in the source) does not grow with what a resource has.
 */
function sizeOf({ type, inputs, dependencies }: Registered): number {
  const copies = type.startsWith("kubernetes:") ? 3 : type.startsWith("pulumi-nodejs:dynamic") ? 2 : 1;
  return copies * lengthOf(inputs) + lengthOf(dependencies);
}

describe.each(NETWORK_MODES)("in mode %s", (mode) => {
  let plan: readonly Planned[];
  beforeAll(async () => {
    plan = (await planOf("dev", { mode })).resources;
  });

  test("every Kubernetes object is applied under one name, so that an up which was killed is finished by the next", () => {
    const objects = plan.filter(({ type }) => type.startsWith("kubernetes:"));
    expect(objects.length).toBeGreaterThan(200);
    expect(objects.filter(({ type }) => type.endsWith(":StatefulSet")).length).toBeGreaterThan(5);
    const other = objects.filter(
      ({ inputs }) => inputs.metadata.annotations?.[FIELD_MANAGER_ANNOTATION] !== FIELD_MANAGER,
    );
    expect(other.map(({ name }) => name)).toEqual([]);
  });

  test("no resource has much: programs, rules and dashboards are told by their digests", () => {
    const large = plan.filter((resource) => sizeOf(resource) > 60_000);
    expect(large.map((resource) => `${resource.name}: ${sizeOf(resource)}`)).toEqual([]);
  });
});

describe("the rehearsal's stack, whose clusters are of kubeconfig files", () => {
  const KEY = "a-private-key ".repeat(100);
  let resources: readonly Registered[];
  beforeAll(async () => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), "state-"));
    const raw = stackConfig("rehearsal");
    const clouds = raw["clouds"] as Record<string, { kubeconfig: string }>;
    for (const [name, cloud] of Object.entries(clouds)) {
      const context = `${name}-cluster`;
      cloud.kubeconfig = path.join(dir, name);
      const kubeconfig = {
        apiVersion: "v1",
        kind: "Config",
        clusters: [
          { name, cluster: { server: `https://${name}.example`, "certificate-authority-data": CA_DATA } },
        ],
        users: [{ name, user: { token: KEY } }],
        contexts: [{ name: context, context: { cluster: name, user: name } }],
      };
      fs.writeFileSync(cloud.kubeconfig, JSON.stringify(kubeconfig));
    }
    try {
      const config = parseConfig(raw, { stack: "rehearsal", projectDir: dir });
      const status = { loadBalancer: { ingress: [{ hostname: "lb.example.com" }] } };
      const fakes = { outputs: { "kubernetes:core/v1:Service": { status } } };
      [, { resources }] = await record(() => new AgentMesh("mesh", config), fakes);
    } finally {
      fs.rmSync(dir, { recursive: true });
    }
  });

  test("keeps little in its state, since a service backend is sent all of it at each step", () => {
    const size = resources.reduce((sum, resource) => sum + sizeOf(resource), 0);
    // The real engine adds some 0.8 MB, of which a quarter is where in the source each resource is made.
    expect(size).toBeLessThan(1_600_000);
  });

  test("has the credentials of a cluster with its provider alone; dynamic resources have where they are", () => {
    const holders = resources.filter(
      ({ inputs }) => lengthOf(inputs) > KEY.length && JSON.stringify(inputs).includes("a-private-key"),
    );
    expect(new Set(holders.map(({ type }) => type))).toEqual(new Set(["pulumi:providers:kubernetes"]));
    const dynamic = resources.filter(({ type }) => type.startsWith("pulumi-nodejs:dynamic"));
    expect(
      dynamic.filter(({ inputs }) => JSON.stringify(inputs).includes("-cluster")).length,
    ).toBeGreaterThan(20);
  });
});
