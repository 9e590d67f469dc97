// The network policies of every mode, as a real API server takes them.
import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import type { CoreV1Api, NetworkingV1Api, V1NetworkPolicySpec } from "@kubernetes/client-node";
import { NETWORK_MODES } from "../../components/network/mode";
import { namespacePolicies } from "../../components/network/policies";
import { NAMESPACES } from "../../components/well-known";
import { worldOf } from "../../rehearsal/machine/world";
import { run } from "../../rehearsal/processes";
import { until } from "../../rehearsal/proof/steps";
import { type OneCloud, oneCloud, ROOT } from "./stack";

const MINUTES = 60_000;
let cloud: OneCloud;
let core: CoreV1Api;
let networking: NetworkingV1Api;

beforeAll(async () => {
  const k8s = await import("@kubernetes/client-node");
  cloud = await oneCloud("policies");
  const client = new k8s.KubeConfig();
  client.loadFromString(cloud.kubeconfig);
  core = client.makeApiClient(k8s.CoreV1Api);
  networking = client.makeApiClient(k8s.NetworkingV1Api);
}, 15 * MINUTES);

afterAll(async () => {
  await cloud?.remove();
}, MINUTES);

test.each(NETWORK_MODES)(
  "all policies of mode %s are valid, and kept as they are written",
  async (mode) => {
    const context = {
      mode,
      peerRanges: mode === "vpn" ? ["10.90.0.0/16", "10.100.0.0/16"] : [],
      loginServer: "http://headscale.example.org:8080",
      tracingEndpoint: "http://collector.observability.svc:4318",
    };
    const ranges = { podCidr: "10.80.0.0/16", serviceCidr: "10.81.0.0/16" };
    for (const namespace of Object.values(NAMESPACES)) {
      // A namespace for each mode: policies are those of the namespace's name, wherever they are tried.
      const here = `${namespace}-in-${mode}`;
      await core.createNamespace({ body: { metadata: { name: here } } });
      for (const { name, spec } of namespacePolicies(namespace, context, ranges)) {
        const made = await networking.createNamespacedNetworkPolicy({
          namespace: here,
          body: { metadata: { name }, spec: renamed(spec, "from", "_from") as V1NetworkPolicySpec },
          fieldValidation: "Strict",
        });
        const { ingress, egress, ...others } = renamed(made.spec, "_from", "from") as typeof spec;
        expect(others).toEqual({ podSelector: spec.podSelector, policyTypes: spec.policyTypes });
        // An empty list is kept as none.
        expect([ingress ?? [], egress ?? []]).toEqual([spec.ingress ?? [], spec.egress ?? []]);
      }
    }
  },
  MINUTES,
);

test(
  "a cloud that is taken away is off the bridge at once, whatever still holds its namespace",
  async () => {
    const holder = spawn("nsenter", [`--net=/run/netns/${worldOf(ROOT)}_policies_node-1`, "sleep", "60"]);
    try {
      const namespaceOf = (pid: number) => readlinkSync(`/proc/${pid}/ns/net`);
      await until("the namespace to be held", async () =>
        namespaceOf(holder.pid!) === namespaceOf(process.pid) ? undefined : true,
      );
      const cables = () => run("ip", ["-o", "link", "show", "type", "veth"]);
      const before = (await cables()).trim().split("\n");
      await cloud.remove();
      const after = (await cables()).trim().split("\n");
      // Else another node that gets its address has to share it.
      expect(after.filter(Boolean)).toHaveLength(before.length - 1);
    } finally {
      holder.kill("SIGKILL");
    }
  },
  MINUTES,
);

/** A copy as JSON with another name of a key. The client's types have one of their own for `from`, and drop what they do not know. */
function renamed(value: unknown, from: string, to: string): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(`"${from}":`, `"${to}":`));
}
