import * as pulumi from "@pulumi/pulumi";
import * as fc from "fast-check";
import { TrustFederation } from "../../../components/trust/federation";
import { orderedPairs } from "../../../components/trust/pairs";
import { RegistrationEntry } from "../../../components/trust/resources";

/** What was registered: type, inputs (secrets unwrapped by the mocks), in order. */
const registered: { name: string; type: string; inputs: Record<string, unknown> }[] = [];
void pulumi.runtime.setMocks(
  {
    newResource: ({ name, type, inputs }) => {
      registered.push({ name, type, inputs: inputs as Record<string, unknown> });
      return {
        id: name,
        state: {
          ...(inputs as object),
          trustDomain: (inputs as { source?: { trustDomain: string } }).source?.trustDomain,
        },
      };
    },
    call: ({ token }) => {
      throw new Error(`Mock not implemented: ${token}`);
    },
  },
  "agentweave-mesh",
  "test",
);

const member = (name: string) => ({
  name,
  target: {
    cloud: name,
    trustDomain: `${name}.example.org`,
    namespace: "spire",
    pod: "spire-server-0",
    container: "spire-server",
    kubeconfig: `kubeconfig of ${name}`,
  },
  bundleEndpointUrl: `https://${name}.example.org:8443`,
});

describe("Ordered pairs", () => {
  it("are all pairs of different members, each once", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { maxLength: 8 }), (names) => {
        const pairs = orderedPairs(names);
        expect(pairs).toHaveLength(names.length * Math.max(0, names.length - 1));
        expect(new Set(pairs.map(({ target, source }) => JSON.stringify([target, source]))).size).toBe(
          pairs.length,
        );
        expect(pairs.every(({ target, source }) => target !== source)).toBe(true);
      }),
    );
  });
});

describe("A federation of three clouds with an entry", () => {
  let dependencies: string[];
  beforeAll(async () => {
    const federation = new TrustFederation("trust", { members: ["aws", "gcp", "azure"].map(member) });
    const entry = new RegistrationEntry("planner", {
      target: member("gcp").target,
      spiffeId: "spiffe://gcp.example.org/agent/planner",
      parentId: "spiffe://gcp.example.org/node/agentweave-gcp",
      selectors: ["k8s:ns:agents"],
      federatesWith: federation.relationshipsOf("gcp"),
    });
    await new Promise<void>((resolve) => entry.urn.apply(() => resolve()));
    dependencies = registered.map(({ name }) => name);
  });

  it("has a bundle for each server and a relationship for each ordered pair", () => {
    const kinds = registered
      .filter(({ type }) => type.startsWith("pulumi-nodejs:dynamic/agentweave/trust:"))
      .map(({ name, type }) => [type.split(":").at(-1), name]);
    expect(
      kinds
        .filter(([kind]) => kind === "TrustBundle")
        .map(([, name]) => name)
        .sort(),
    ).toEqual(["aws-bundle", "azure-bundle", "gcp-bundle"]);
    expect(
      kinds
        .filter(([kind]) => kind === "FederationRelationship")
        .map(([, name]) => name)
        .sort(),
    ).toEqual([
      "aws-trusts-azure",
      "aws-trusts-gcp",
      "azure-trusts-aws",
      "azure-trusts-gcp",
      "gcp-trusts-aws",
      "gcp-trusts-azure",
    ]);
  });

  it("tells the target the endpoint and the server id of the source", () => {
    expect(registered.find(({ name }) => name === "gcp-trusts-aws")?.inputs).toMatchObject({
      target: { cloud: "gcp", trustDomain: "gcp.example.org" },
      source: { cloud: "aws", trustDomain: "aws.example.org" },
      bundleEndpointUrl: "https://aws.example.org:8443",
      endpointSpiffeId: "spiffe://aws.example.org/spire/server",
    });
  });

  it("registers an entry after the relationships that it names, and those after both servers' bundles", () => {
    const at = (name: string) => dependencies.indexOf(name);
    expect(at("planner")).toBeGreaterThan(Math.max(at("gcp-trusts-aws"), at("gcp-trusts-azure")));
    expect(at("gcp-trusts-aws")).toBeGreaterThan(Math.max(at("gcp-bundle"), at("aws-bundle")));
    expect(registered.find(({ name }) => name === "planner")?.inputs["federatesWith"]).toEqual([
      "aws.example.org",
      "azure.example.org",
    ]);
  });

  it("has kubeconfigs as secrets only, and none in the readable targets", () => {
    // The mocks hand secrets over in Pulumi's wrapping, recognizable by its signature.
    const secret = (value: string) => ({
      "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
      value,
    });
    const { inputs } = registered.find(({ name }) => name === "gcp-trusts-aws")!;
    expect([inputs["targetKubeconfig"], inputs["sourceKubeconfig"]]).toEqual([
      secret("kubeconfig of gcp"),
      secret("kubeconfig of aws"),
    ]);
    const { targetKubeconfig: _target, sourceKubeconfig: _source, ...readable } = inputs;
    expect(JSON.stringify(readable)).not.toContain("kubeconfig of");
  });
});
