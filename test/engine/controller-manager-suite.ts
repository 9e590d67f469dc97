// spire-controller-manager in the pod of a real SPIRE server, both as the component makes them, beside what the program has of that server.
import type { KubernetesObject } from "@kubernetes/client-node";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../../components/clouds/cluster";
import { resolveImages } from "../../components/images";
import { namespaceMetadata } from "../../components/kubernetes/metadata";
import { SPIRE_DEFAULTS, SpireServer } from "../../components/spire";
import { connectByExec } from "../../components/trust/connect";
import {
  federationRelationshipProvider as relationships,
  type RelationshipInputs,
} from "../../components/trust/providers/federation-relationship";
import { registrationEntryProvider as entries } from "../../components/trust/providers/registration-entry";
import { CONTROLLER_MANAGER, NAMESPACES, SPIRE_SERVER } from "../../components/well-known";
import { record } from "../../infra/plan/recorder";
import { fillRegistry } from "../../rehearsal/programs/images";
import { until } from "../../rehearsal/proof/steps";
import { imageFolder } from "../../rehearsal/rehearsal";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { programPath } from "../support/programs";
import { target } from "./spire-pods";
import { PROJECT } from "./stack";

const MINUTES = 60_000;
const DOMAIN = "team.example.org";
const CLUSTER = "local";
const images = resolveImages({ digests: false });

/** A cluster with the server of another cloud. */
export interface Field {
  readonly k8s: typeof import("@kubernetes/client-node");
  readonly kubeconfig: string;
  /** The other cloud, whose pod is the team's as well. */
  readonly peer: Pick<RelationshipInputs, "source" | "bundleEndpointUrl">;
}

const location = target(NAMESPACES.spireServer, DOMAIN);
const clusterSpiffeId = (name: string, spec: object) =>
  ({
    apiVersion: "spire.spiffe.io/v1alpha1",
    kind: "ClusterSPIFFEID",
    metadata: { name },
    spec,
  }) as KubernetesObject;
const OF_TEAM =
  "spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/sa/{{ .PodSpec.ServiceAccountName }}";

export function controllerManagerTests(field: () => Field): void {
  let objects: import("@kubernetes/client-node").KubernetesObjectApi;
  let core: import("@kubernetes/client-node").CoreV1Api;

  const common = () => ({ kubeconfig: field().kubeconfig, timeoutSeconds: 60 });
  const entry = () => ({
    ...common(),
    target: location,
    spiffeId: `spiffe://${DOMAIN}/region/here/agent`,
    parentId: serverSpiffeId(DOMAIN),
    selectors: ["k8s:ns:agentweave"],
    federatesWith: [field().peer.source.trustDomain],
    x509SvidTtlSeconds: 0,
  });
  const relationship = () => ({
    ...field().peer,
    target: location,
    targetKubeconfig: field().kubeconfig,
    sourceKubeconfig: field().kubeconfig,
    endpointSpiffeId: serverSpiffeId(field().peer.source.trustDomain),
    timeoutSeconds: 60,
  });
  /** The entries that the controller manager has made. */
  const made = async () => {
    const server = connectByExec(location, field().kubeconfig, { limitMs: 30_000 });
    const prefix = `${CONTROLLER_MANAGER.entryIdPrefix}.`;
    return (await server.entryList()).filter(({ id }) => id.startsWith(prefix));
  };
  const pathsOf = (all: Awaited<ReturnType<typeof made>>) => all.map(({ spiffe_id }) => spiffe_id.path);

  beforeAll(async () => {
    const { k8s, kubeconfig } = field();
    const config = new k8s.KubeConfig();
    config.loadFromString(kubeconfig);
    objects = k8s.KubernetesObjectApi.makeApiClient(config);
    core = config.makeApiClient(k8s.CoreV1Api);
    const programs = Object.fromEntries(
      await Promise.all(
        ["crane", "registry", CONTROLLER_MANAGER.container].map(
          async (name) => [name, await programPath(name)] as const,
        ),
      ),
    );
    const storage = imageFolder({ project: PROJECT });
    const references = [images.spireControllerManager];
    await fillRegistry({ references, programs, node: process.execPath, storage });

    for (const name of [NAMESPACES.spireServer, NAMESPACES.spireSystem])
      await core.createNamespace({ body: { metadata: namespaceMetadata(name, "restricted") } });
    const [, { resources }] = await record(() => {
      const provider = new kubernetes.Provider("cluster", { kubeconfig: "{}" });
      const cluster = {
        name: "team",
        clusterName: CLUSTER,
        kubernetes: provider,
        kubeconfig: pulumi.secret(""),
      };
      return new SpireServer("server", {
        cluster: cluster as unknown as Cluster,
        trustDomain: DOMAIN,
        settings: SPIRE_DEFAULTS,
        images,
        bundleEndpoint: false,
        plan: { controllerManager: {} },
      });
    });
    for (const { type, inputs } of resources)
      if (type.startsWith("kubernetes:") && !type.endsWith("Patch")) await objects.create(inputs);
    await until("the server with its controller manager", async () => {
      const { status } = await core
        .readNamespacedPodStatus({ namespace: NAMESPACES.spireServer, name: SPIRE_SERVER.pod })
        .catch(() => ({ status: undefined }));
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return ready?.status === "True" || undefined;
    });
  }, 5 * MINUTES);

  it.each([
    ["an agent's id", { spiffeIDTemplate: "spiffe://{{ .TrustDomain }}/region/here/agent" }, /own namespace/],
    [
      "another namespace's",
      { spiffeIDTemplate: "spiffe://{{ .TrustDomain }}/ns/billing/sa/api" },
      /own namespace/,
    ],
    ["an administrator", { spiffeIDTemplate: OF_TEAM, admin: true }, /admin must not be true/],
    ["a server below", { spiffeIDTemplate: OF_TEAM, downstream: true }, /downstream must not be true/],
  ])("nobody gives a pod %s", async (_, spec, why) => {
    await expect(objects.create(clusterSpiffeId("refused", spec))).rejects.toThrow(why);
  });

  it("a ClusterSPIFFEID gives pods their ids and takes them away, and the program's entry and relationship stay", async () => {
    const related = await relationships.create(relationship());
    const own = await entries.create(entry());
    const team = field().peer.source.namespace;
    const all = clusterSpiffeId("all", { spiffeIDTemplate: OF_TEAM });
    await objects.create(all);
    const given = await until("the team's id", async () =>
      (await made()).find(({ spiffe_id }) => spiffe_id.path === `/ns/${team}/sa/default`),
    );
    const [pod, node] = await Promise.all([
      core.readNamespacedPod({ namespace: team, name: SPIRE_SERVER.pod }),
      core.listNode().then(({ items }) => items[0]!),
    ]);
    expect(given).toMatchObject({
      parent_id: { path: `/spire/agent/k8s_psat/${CLUSTER}/${node.metadata!.uid}` },
      selectors: [{ type: "k8s", value: `pod-uid:${pod.metadata!.uid}` }],
    });
    const ofMesh = [...Object.values(NAMESPACES), "kube-system"].map((name) => `/ns/${name}/`);
    expect(pathsOf(await made()).filter((path) => ofMesh.some((of) => path.startsWith(of)))).toEqual([]);

    // What a refresh and an `up` do.
    const read = await entries.read(own.id, own.outs);
    await entries.update(own.id, read.props, { ...entry(), x509SvidTtlSeconds: 600 });
    expect((await relationships.read(related.id, related.outs)).id).toBe(related.id);
    expect(pathsOf(await made())).toContain(`/ns/${team}/sa/default`);

    await objects.delete(all);
    await until("the end of the ids", async () => ((await made()).length === 0 ? true : undefined));
    expect((await entries.read(own.id, own.outs)).props).toMatchObject({ x509SvidTtlSeconds: 600 });
    expect((await relationships.read(related.id, related.outs)).id).toBe(related.id);
  });
}
