// The providers as an `up` uses them: `exec` through a real API server to SPIRE servers in pods of a real node.
import path from "node:path";
import { makeVolumeCleanupProvider } from "../../components/kubernetes/volume-cleanup-provider";
import { federationRelationshipProvider as relationships } from "../../components/trust/providers/federation-relationship";
import { registrationEntryProvider as entries } from "../../components/trust/providers/registration-entry";
import { trustBundleProvider as bundles } from "../../components/trust/providers/trust-bundle";
import { SPIRE_SERVER } from "../../components/well-known";
import { serverSpiffeId } from "../../spiffe/spiffe-id";
import { until } from "../../rehearsal/proof/steps";
import { campaignTests } from "./campaign/suite";
import { controllerManagerTests } from "./controller-manager-suite";
import { DATA, makeServer, target } from "./spire-pods";
import { FOLDER, type OneCloud, oneCloud } from "./stack";

jest.setTimeout(120_000);
const MINUTES = 60_000;

// Two clouds of the mesh, as two namespaces of one cluster: to the providers the difference is in the target alone.
const AWS = "aws.example.org";
const GCP = "gcp.example.org";
let cloud: OneCloud;
let kubeconfig: string;
let k8s: typeof import("@kubernetes/client-node");
let core: import("@kubernetes/client-node").CoreV1Api;
let apps: import("@kubernetes/client-node").AppsV1Api;

const uidOfPod = (namespace: string) =>
  core.readNamespacedPod({ namespace, name: SPIRE_SERVER.pod }).then(
    ({ metadata }) => metadata!.uid!,
    () => "none",
  );

/** Has something end the pod, and waits until it is gone. */
async function endPod(namespace: string, end: () => Promise<unknown>): Promise<void> {
  const uid = await uidOfPod(namespace);
  await end();
  await until(`the end of the pod in ${namespace}`, async () =>
    (await uidOfPod(namespace)) === uid ? undefined : true,
  );
}

/** As the runbook does it: the claim goes with the pod, and the StatefulSet makes both anew. */
function loseDatabase(namespace: string): Promise<void> {
  return endPod(namespace, async () => {
    const name = `${DATA}-${SPIRE_SERVER.pod}`;
    await core.deleteNamespacedPersistentVolumeClaim({ namespace, name });
    await core.deleteNamespacedPod({ namespace, name: SPIRE_SERVER.pod });
  });
}

const scale = (namespace: string, replicas: number) =>
  apps.replaceNamespacedStatefulSetScale({
    namespace,
    name: SPIRE_SERVER.name,
    body: { metadata: { namespace, name: SPIRE_SERVER.name }, spec: { replicas } },
  });

const endpoints: Record<string, string> = {};
const bundle = () => ({ target: target("aws", AWS), kubeconfig, timeoutSeconds: 60 });
const relationship = () => ({
  target: target("gcp", GCP),
  targetKubeconfig: kubeconfig,
  source: target("aws", AWS),
  sourceKubeconfig: kubeconfig,
  bundleEndpointUrl: endpoints["aws"]!,
  endpointSpiffeId: serverSpiffeId(AWS),
  timeoutSeconds: 60,
});

const entry = () => ({
  target: target("gcp", GCP),
  kubeconfig,
  spiffeId: `spiffe://${GCP}/agent/planner`,
  parentId: serverSpiffeId(GCP),
  selectors: ["k8s:ns:agents"],
  federatesWith: [AWS],
  x509SvidTtlSeconds: 0,
  timeoutSeconds: 60,
});

beforeAll(async () => {
  k8s = await import("@kubernetes/client-node");
  cloud = await oneCloud("provider");
  kubeconfig = cloud.kubeconfig;
  const client = new k8s.KubeConfig();
  client.loadFromString(kubeconfig);
  core = client.makeApiClient(k8s.CoreV1Api);
  apps = client.makeApiClient(k8s.AppsV1Api);
}, 15 * MINUTES);

afterAll(async () => {
  await cloud?.remove();
}, MINUTES);

describe("A campaign", () =>
  campaignTests(() => ({ core, apps, dir: cloud.dir, kubeconfig }), path.join(FOLDER, "campaign")));

describe("Through a real API server", () => {
  it("a bundle is waited for while the server's pod is being made", async () => {
    const creating = until("the namespace", () =>
      core.readNamespace({ name: "aws" }).then(
        () => bundles.create(bundle()),
        () => undefined,
      ),
    );
    [endpoints["aws"], endpoints["gcp"]] = await Promise.all([
      makeServer({ core, apps }, "aws", AWS),
      makeServer({ core, apps }, "gcp", GCP),
    ]);
    expect((await creating).outs).toMatchObject({
      trustDomain: AWS,
      authorities: [{ spiffeId: `spiffe://${AWS}` }],
    });
  });

  it("a relationship is made, proved through the load balancer, and found again by a refresh", async () => {
    const { id, outs } = await relationships.create(relationship());
    expect(outs.bundleState).toBe("current");
    const read = await relationships.read(id, outs);
    expect(read.props).toEqual(outs);
    expect(await relationships.diff(id, read.props, relationship())).toMatchObject({ changes: false });
  });

  it("it is made anew, with its entry, after the target lost its database, even while its pod is only starting", async () => {
    const { id, outs } = await relationships.create(relationship());
    const made = await entries.create(entry());
    await loseDatabase("gcp");
    expect((await relationships.create(relationship())).outs.bundleState).toBe("current");
    expect((await relationships.read(id, outs)).id).toBe(id);
    expect((await entries.read(made.id, made.outs)).id).toBe("");
    const again = await entries.create(entry());
    expect(await entries.read(again.id, again.outs)).toMatchObject({ id: again.id, inputs: entry() });
  });

  it(
    "a server that is scaled to 0 has lost nothing: to read and to delete are errors until it is back",
    async () => {
      const { id, outs } = await relationships.create(relationship());
      const { id: entryId, outs: entryOuts } = await entries.create(entry());
      await endPod("gcp", () => scale("gcp", 0));
      const scaled =
        /^gcp: there is no pod gcp\/spire-server-0: StatefulSet gcp\/spire-server is scaled to 0\. /;
      const kept = new RegExp(`${scaled.source}.*Its volume still holds what is to be deleted`);
      await Promise.all([
        expect(relationships.read(id, outs)).rejects.toThrow(scaled),
        expect(relationships.delete(id, outs)).rejects.toThrow(kept),
        expect(entries.read(entryId, entryOuts)).rejects.toThrow(scaled),
        expect(entries.delete(entryId, entryOuts)).rejects.toThrow(kept),
      ]);
      await scale("gcp", 1);
      expect((await relationships.create(relationship())).outs.storedDigest).toBe(outs.storedDigest);
      expect((await relationships.read(id, outs)).id).toBe(id);
      expect((await entries.read(entryId, entryOuts)).id).toBe(entryId);
    },
    2 * MINUTES,
  );

  it(
    "a server whose StatefulSet or namespace does not exist is gone; to delete from it succeeds",
    async () => {
      const { id, outs } = await relationships.create(relationship());
      await endPod("gcp", () =>
        apps.deleteNamespacedStatefulSet({ namespace: "gcp", name: SPIRE_SERVER.name }),
      );
      const nowhere = { ...outs, target: { ...outs.target, namespace: "nowhere" } };
      const read = async (state: typeof outs) => (await relationships.read(id, state)).id;
      expect(await Promise.all([read(outs), read(nowhere)])).toEqual(["", ""]);
      await Promise.all([relationships.delete(id, outs), relationships.delete(id, nowhere)]);
    },
    2 * MINUTES,
  );

  it(
    "the volume that a server left is waited for, unless it is to stay",
    async () => {
      const cleanup = makeVolumeCleanupProvider();
      const claim = { namespace: "gcp", name: `${DATA}-${SPIRE_SERVER.pod}` };
      const state = { cloud: "gcp", kubeconfig, claim };
      // All volumes here are to stay, those of the lost databases as well.
      await cleanup.delete("any", state);
      const { items } = await core.listPersistentVolume();
      const name = items.find(({ spec }) => spec?.claimRef?.namespace === claim.namespace)!.metadata!.name!;
      const policy = { op: "replace", path: "/spec/persistentVolumeReclaimPolicy", value: "Delete" };
      await core.patchPersistentVolume({ name, body: [policy] });
      let over = false;
      const removing = cleanup.delete("any", state).then(() => (over = true));
      await until("Kubernetes to find nothing that deletes it", async () => {
        const { status } = await core.readPersistentVolume({ name });
        return status?.phase === "Failed" ? true : undefined;
      });
      expect(over).toBe(false);
      await core.deletePersistentVolume({ name });
      await removing;
    },
    2 * MINUTES,
  );

  describe("and a controller manager", () =>
    controllerManagerTests(() => ({
      k8s,
      kubeconfig,
      peer: { source: target("aws", AWS), bundleEndpointUrl: endpoints["aws"]! },
    })));

  it("an API server that is away means an error, never gone", async () => {
    const state = { ...bundle(), ...(await bundles.create(bundle())).outs };
    await cloud.remove();
    // The kernel takes a node's network away some seconds after the node: until then it refuses.
    await expect(bundles.read("any", state)).rejects.toThrow(
      /^aws: the Kubernetes API cannot be reached .*(EHOSTUNREACH|ECONNREFUSED)/,
    );
  });
});
