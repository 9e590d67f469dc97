import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../../components/clouds/cluster";
import { AttestedCluster } from "../../../components/spire";
import { KUBECONFIG } from "../../../infra/plan/fakes";
import { record, valueOf } from "../../../infra/plan/recorder";

/** The warnings of a run that finds a token of this age. */
async function warnings(days: number): Promise<string[]> {
  const said: string[] = [];
  const warn = jest.spyOn(pulumi.log, "warn").mockImplementation(async (words) => void said.push(words));
  const made = (inputs: { metadata: object; type?: string }) => ({
    metadata: {
      ...inputs.metadata,
      creationTimestamp: new Date(Date.now() - days * 86_400_000).toISOString(),
    },
  });
  const make = () => {
    const cluster = {
      ...{ name: "gcp", region: "here", clusterName: "agentweave-gcp", context: "gcp-cluster" },
      ...{
        kubeconfig: pulumi.secret(KUBECONFIG("gcp-cluster")),
        kubernetes: new k8s.Provider("gcp-kubernetes", {}),
      },
      ...{ podCidr: "10.0.0.0/16", serviceCidr: "10.1.0.0/16", sourceCidrs: [], loadBalancerAnnotations: {} },
    } satisfies Cluster;
    const flows = { mode: "direct", peerRanges: [] } as const;
    return new AttestedCluster("gcp-attestation", { cluster, attests: "nodes", flows });
  };
  const [{ token }] = await record(make, { outputs: { "kubernetes:core/v1:Secret": made } });
  await valueOf(token);
  await new Promise(setImmediate);
  warn.mockRestore();
  return said;
}

test("a token that is old is told, with the command that makes another one", async () => {
  expect(await warnings(89)).toEqual([]);
  const [words, ...more] = await warnings(90);
  expect(more).toEqual([]);
  expect(words).toMatch(
    /^gcp: .* is 90 days old and has no end\. `pulumi up --replace 'urn:pulumi:.*kubernetes:core\/v1:Secret::gcp-attestation-token'`/,
  );
});
