// By what machines outside of Kubernetes attest: what SPIRE is configured with, and whom it lets in by that.
import { X509Certificate } from "node:crypto";
import { renderServerConf, SPIRE_DEFAULTS } from "../../../components/spire/conf";
import {
  nodeAttestorFiles,
  nodeAttestorPorts,
  type NodeAttestors,
} from "../../../components/spire/node-attestors";
import { serverPod } from "../../../components/spire/server-pod";
import { selfSigned } from "../../support/certificate";
import { restrictedViolations } from "./pod-security";
import { describeRealServer } from "./real-server";

const CA = new X509Certificate(selfSigned()).toString();
const SUBSCRIPTION = "d5b40d61-272e-48da-beb9-05f295c42bd6";
const azure = (...subscriptions: string[]) => ({
  azure_imds: { tenants: { "example.onmicrosoft.com": { subscriptions } } },
});

/** Each with the ports of its cloud, and with what lets in nobody, or anybody, and what SPIRE says of that: it ignores keys that it does not know. */
const ATTESTORS: readonly (readonly [
  name: string,
  Omit<NodeAttestors, "sources">,
  ports: readonly number[],
  wrong: object,
  RegExp,
])[] = [
  ["x509pop", { x509pop: { ca: CA } }, [], { x509pop: { ca: "" } }, /unable to load trust bundle/],
  [
    "tpm_devid",
    { tpm_devid: { devidCa: CA, endorsementCa: CA } },
    [],
    { tpm_devid: { devidCa: CA, endorsementCa: "" } },
    /endorsement trust bundle/,
  ],
  [
    "aws_iid",
    { aws_iid: { accounts: ["111122223333"], assumeRole: "spire-server-delegate" } },
    [443],
    { aws_iid: { accounts: ["none"] } },
    /invalid account id "none"/,
  ],
  [
    "gcp_iit",
    { gcp_iit: { projects: ["mesh-123456"] } },
    [443],
    { gcp_iit: { projects: [] } },
    /projectid_allow_list is required/,
  ],
  [
    "azure_imds",
    azure(SUBSCRIPTION),
    [443, 80],
    azure(""),
    /restrict_to_subscriptions entries must be non-empty/,
  ],
];

const args = { trustDomain: "aws.example.org", clusterName: "aws", settings: SPIRE_DEFAULTS };
const confWith = (attestors: object) =>
  renderServerConf({ ...args, nodeAttestors: { sources: [], ...attestors } });

describe.each(ATTESTORS)("node attestor %s", (_name, attestors, ports) => {
  const nodeAttestors = { sources: ["203.0.113.0/24"], ...attestors };

  test("has no credential in the configuration, and its cloud's ports", () => {
    expect(confWith(attestors)).not.toMatch(/secret|access_key|app_id|credential|token_path/);
    expect(nodeAttestorPorts(nodeAttestors)).toEqual(ports);
  });

  test("finds its files in the pod, which stays restricted", () => {
    const pod = serverPod({ image: "spire", configChecksum: "1", nodeAttestors });
    expect(restrictedViolations(pod.spec as never)).toEqual([]);
    const { volumes } = pod.spec as unknown as {
      volumes: { name: string; configMap?: { items: { key: string; path: string }[] } }[];
    };
    const items = volumes.find(({ name }) => name === "node-attestors")?.configMap?.items ?? [];
    const files = Object.keys(nodeAttestorFiles(nodeAttestors));
    expect(items).toEqual(files.map((key) => ({ key, path: key })));
    const named = [...confWith(attestors).matchAll(/"\/run\/spire\/node-attestors\/([^"]+)"/g)];
    expect(named.map(([, file]) => file).sort()).toEqual([...files].sort());
  });
});

test("the pod that asks Azure has the label by which AKS gives it an identity", () => {
  const labels = (attestors: object) =>
    serverPod({ image: "spire", configChecksum: "1", nodeAttestors: { sources: [], ...attestors } }).metadata;
  const label = { labels: { "azure.workload.identity/use": "true" } };
  expect(labels(azure(SUBSCRIPTION))).toMatchObject(label);
  expect(labels({ x509pop: { ca: CA } })).not.toMatchObject(label);
});

test("only what is written is there, beside the cluster's own nodes", () => {
  const names = (conf: string) => [...conf.matchAll(/NodeAttestor "(\w+)"/g)].map(([, name]) => name);
  expect(names(renderServerConf(args))).toEqual(["k8s_psat"]);
  expect(names(confWith({ x509pop: { ca: CA }, ...azure(SUBSCRIPTION) }))).toEqual([
    "k8s_psat",
    "x509pop",
    "azure_imds",
  ]);
});

describeRealServer((ask) => {
  const validate = (attestors: object) =>
    ask(confWith(attestors), { files: nodeAttestorFiles({ sources: [], ...attestors }) });

  test.each(ATTESTORS)(
    "takes %s, and reads of it whom it lets in",
    (_name, attestors, _ports, wrong, error) => {
      const said = validate(attestors);
      if (attestors.azure_imds) {
        // It asks Microsoft for the id of the tenant, which nobody answers here, and finds no other fault.
        const errors = said.trim().split("\n").slice(3);
        expect(errors).toEqual([expect.stringMatching(/unable to lookup tenant ID/)]);
      } else expect(said).toContain("is valid");
      expect(validate(wrong)).toMatch(error);
    },
  );
});
