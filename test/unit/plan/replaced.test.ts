import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { NETWORK_MODES } from "../../../components/network/mode";
import { PROJECT } from "../../../components/project";
import { providers } from "../../../components/providers/providers";
import { planOf, type Planned } from "../../../infra/plan/plan";
import { pathOf, type Step, stepsOf } from "../../../infra/plan/property-path";
import { deletedFirst, knows, replacedBy } from "../../../infra/plan/replaced";
import { REPLACING } from "../../../infra/plan/replacing";
import { CA_DATA } from "../../support/kubeconfig";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "replaced-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The rehearsal's stack with clusters that there are, and with what each network mode needs. */
function rehearsalFile(): string {
  let asn = 64600;
  return readFileSync(path.join(PROJECT, "Pulumi.rehearsal.yaml"), "utf8")
    .replace("mode: direct", "{ mode: direct, tailscale: { tailnet: tail1a2b3c.ts.net } }")
    .replace(/kubeconfig: \.rehearsal\/(\w+)\/kubeconfig/g, (_, cloud: string) => {
      const server = `https://${cloud}.example.org`;
      const config = {
        clusters: [{ name: "c", cluster: { server, "certificate-authority-data": CA_DATA } }],
        users: [{ name: "u", user: { token: "t" } }],
        contexts: [{ name: `${cloud}-cluster`, context: { cluster: "c", user: "u" } }],
      };
      writeFileSync(path.join(dir, cloud), JSON.stringify(config));
      asn += 1;
      const vpn = `{ asn: ${asn}, gatewayAddresses: [198.51.100.${asn - 64600}] }`;
      return `kubeconfig: ${path.join(dir, cloud)}\n      vpn: ${vpn}`;
    });
}

describe("of everything that a stack registers", () => {
  const plans: Planned[][] = [];
  beforeAll(async () => {
    for (const example of ["workloads-and-partners", "replicated-spire"]) {
      const file = readFileSync(path.join(PROJECT, "examples", example, `Pulumi.${example}.yaml`), "utf8");
      plans.push([...(await planOf(example, { file })).resources]);
    }
    for (const stack of ["dev", "prod", "rehearsal"]) {
      const file = stack === "rehearsal" ? rehearsalFile() : undefined;
      for (const mode of NETWORK_MODES) plans.push([...(await planOf(stack, { mode, file })).resources]);
    }
    const changed = { trust: { mode: "single", former: { domain: "example.org" } } };
    plans.push([...(await planOf("rehearsal", { file: rehearsalFile(), changed })).resources]);
    const buckets = { mode: "direct", changed: { trust: { endpoint: "bucket" } } } as const;
    plans.push([...(await planOf("dev", buckets)).resources]);
  }, 300_000);

  test("the type is known, and the table has no other", () => {
    const types = new Set(plans.flat().map(({ type }) => type));
    expect([...types].filter((type) => !knows(type))).toEqual([]);
    expect(Object.keys(REPLACING).filter((type) => !types.has(type))).toEqual([]);
  });

  test("what this program has a provider for is replaced by what the provider says", async () => {
    const seen = new Map<string, string[]>();
    for (const [kind, provider] of Object.entries(providers)) {
      const { type, inputs } = plans.flat().find((resource) => resource.type.endsWith(`:${kind}`))!;
      const olds = plain(inputs) as object;
      for (const steps of leavesOf([], olds)) {
        const news = structuredClone(olds);
        change(news, steps);
        const at = pathOf(steps);
        const diff = provider.diff as (
          id: string,
          olds: object,
          news: object,
        ) => Promise<pulumi.dynamic.DiffResult>;
        const said = await diff("id", olds, news).catch((error: unknown) => {
          expect(`${kind} ${at} ${String(error)}`).toMatch(
            /^(TrustBundle target\.trustDomain .* stands in|RegistrationEntry target\.cloud .* is issued by)/,
          );
          return undefined;
        });
        // Nothing becomes of what is refused.
        if (said === undefined) continue;
        const { replaces = [], deleteBeforeReplace = false } = said;
        expect({ type, at, replaces: replacedBy(type, [at]).map((forced) => stepsOf(forced)[0]) }).toEqual({
          type,
          at,
          replaces,
        });
        if (replaces.length === 0) continue;
        seen.set(kind, [...(seen.get(kind) ?? []), at]);
        expect({ type, first: deletedFirst(type, {}, {}) }).toEqual({ type, first: deleteBeforeReplace });
      }
    }
    expect([...seen.keys()]).toEqual(Object.keys(providers));
    expect(seen.get("GeneratedConfigMap")).toEqual(["cloud", "object.name", "object.namespace"]);
  });
});

/** Secrets as their text, and what is not known yet as a text, too. */
function plain(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return plain(pulumi.runtime.unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value ?? "";
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function leavesOf(steps: readonly Step[], value: unknown): (readonly Step[])[] {
  if (typeof value !== "object" || value === null) return [steps];
  const inner: [Step, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value).sort();
  return inner.flatMap(([step, part]) => leavesOf([...steps, step], part));
}

function change(value: object, steps: readonly Step[]): void {
  const last = steps.at(-1)!;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Any JSON.
  const holder = steps.slice(0, -1).reduce((inner: any, step) => inner[step], value);
  holder[last] = typeof holder[last] === "number" ? holder[last] + 1 : `${holder[last]}x`;
}

test.each([
  ["aws:ec2/vpc:Vpc", "tags.a", false],
  ["aws:ec2/vpc:Vpc", "cidrBlock", true],
  ["aws:eks/nodeGroup:NodeGroup", "subnetIds[2]", true],
  ["aws:eks/nodeGroup:NodeGroup", "launchTemplate.version", false],
  ["aws:eks/nodeGroup:NodeGroup", "launchTemplate.id", true],
  ["aws:eks/nodeGroup:NodeGroup", "instanceTypesOfAnotherName", false],
  ["azure-native:containerservice:AgentPool", "vmSize", true],
  [
    "azure-native:containerservice:ManagedCluster",
    "agentPoolProfiles[1].networkProfile.nodePublicIPTags",
    true,
  ],
  ["azure-native:containerservice:ManagedCluster", "agentPoolProfiles[1].count", false],
  ["azure-native:containerservice:ManagedCluster", "networkProfile.advancedNetworking.enabled", false],
  ["azure-native:containerservice:ManagedCluster", "networkProfile", true],
  ["eks:index:Cluster", "version", false],
  ["eks:index:Cluster", "kubernetesServiceIpAddressRange", true],
  ["gcp:container/cluster:Cluster", "releaseChannel.channel", false],
  ["gcp:container/nodePool:NodePool", "nodeConfig.machineType", false],
  ["gcp:container/nodePool:NodePool", 'nodeConfig.metadata["disable-legacy-endpoints"]', true],
  ["kubernetes:apps/v1:Deployment", "spec.replicas", false],
  ["kubernetes:apps/v1:Deployment", "spec.selector.matchLabels.app", true],
  ["kubernetes:apps/v1:StatefulSet", "spec.volumeClaimTemplates[0].spec.resources.requests.storage", true],
  ["kubernetes:core/v1:ConfigMap", "data.a", false],
  ["kubernetes:core/v1:ConfigMap", "metadata.namespace", true],
  ["kubernetes:core/v1:PersistentVolumeClaimPatch", "spec.resources.requests.storage", false],
  ["kubernetes:core/v1:PersistentVolumeClaimPatch", "metadata.name", true],
  ["kubernetes:core/v1:Secret", "stringData", false],
  ["kubernetes:core/v1:Secret", "type", true],
  ["kubernetes:core/v1:Service", "spec.type", false],
  ["kubernetes:core/v1:Service", "spec.ports[0].port", false],
  ["kubernetes:example.org/v1:Custom", "metadata.name", true],
  ["tailscale:index/service:Service", "ports", false],
  ["tailscale:index/service:Service", "name", true],
  ["unknown:index:Thing", "name", false],
])("%s: a change of %s replaces it: %s", (type, at, replaces) => {
  expect(replacedBy(type, [at, "notAProperty"])).toEqual(replaces ? [at] : []);
});

test.each([
  [
    "kubernetes:core/v1:Service",
    { metadata: { name: "a", namespace: "n" } },
    { metadata: { name: "a", namespace: "n" } },
    true,
  ],
  [
    "kubernetes:core/v1:Service",
    { metadata: { name: "a", namespace: "n" } },
    { metadata: { name: "a", namespace: "m" } },
    false,
  ],
  ["kubernetes:core/v1:Service", { metadata: { name: "a" } }, { metadata: { name: "b" } }, false],
  ["kubernetes:core/v1:Service", {}, {}, false],
  ["gcp:container/cluster:Cluster", {}, { name: "a" }, true],
  ["gcp:container/nodePool:NodePool", {}, {}, false],
  ["gcp:projects/iAMMember:IAMMember", {}, {}, true],
  ["aws:ec2/vpc:Vpc", {}, {}, false],
  ["aws:route53/record:Record", {}, { name: "a" }, false],
  ["eks:index:Cluster", {}, { name: "a" }, true],
  ["azure-native:network:Subnet", {}, {}, true],
  ["azure-native:network:VirtualNetwork", {}, {}, false],
  ["azure-native:network:VirtualNetworkGateway", {}, { virtualNetworkGatewayName: "a" }, true],
])("%s with %j, then %j, is deleted before it is replaced: %s", (type, before, after, first) => {
  expect(deletedFirst(type, before, after)).toBe(first);
});

test.each([
  ["spec.ports[0].name", ["spec", "ports", 0, "name"]],
  ['metadata.annotations["a.example/b-c"]', ["metadata", "annotations", "a.example/b-c"]],
  ['data["say \\"no\\""][1]', ["data", 'say "no"', 1]],
  ['["a-b"].c', ["a-b", "c"]],
])("the path %s has the steps %j, and they make the path", (text, steps) => {
  expect(stepsOf(text)).toEqual(steps);
  expect(pathOf(steps)).toBe(text);
});
