// The provider of VolumeCleanup against a stand-in for an API server, on loopback.
import { makeVolumeCleanupProvider } from "../../components/kubernetes/volume-cleanup-provider";
import { KubernetesApi } from "../support/kubernetes-api";

let api: KubernetesApi;
// It is large, and the provider loads it with its first request.
beforeAll(() => import("@kubernetes/client-node"), 5 * 60_000);
beforeEach(async () => (api = await KubernetesApi.start()));
afterEach(() => api.stop());

const claim = { namespace: "spire", name: "data-0" };
const inputs = () => ({ cloud: "aws", kubeconfig: api.kubeconfig(), claim });

/** A volume as a cloud's driver makes it. */
const volume = (more: object = {}, status: object = { phase: "Released" }) => ({
  metadata: { name: "pvc-1" },
  spec: { claimRef: claim, persistentVolumeReclaimPolicy: "Delete", ...more },
  status,
});

const removal = (limitMs: number) => {
  const provider = makeVolumeCleanupProvider({ limitMs, firstPauseMs: 20, longestPauseMs: 20 });
  return provider.delete("id", inputs());
};

test("the volume is waited for, also where the API server is busy", async () => {
  api.volumes = [volume()];
  api.refusals.push(503);
  let removed = false;
  const removing = removal(30_000).then(() => (removed = true));
  await api.until(() => (api.asked.length === 4 ? true : undefined));
  expect(removed).toBe(false);
  api.volumes = [];
  await removing;
  expect(api.asked.length).toBeGreaterThanOrEqual(5);
});

test("what is still there in the end is an error that says what, why and what to do", async () => {
  const message = "rpc error: UnauthorizedOperation";
  api.volumes = [volume({}, { phase: "Failed", message })];
  await expect(removal(50)).rejects.toThrow(
    /^aws: of claim spire\/data-0 there still is volume pvc-1 \(Failed: rpc error: UnauthorizedOperation\), .*kubectl describe pv pvc-1.*kubectl patch pv pvc-1 .*Retain.* \(gave up waiting for the volume to be deleted after 0 s\)$/,
  );
});

test.each([
  ["of another namespace", { claimRef: { ...claim, namespace: "shop" } }],
  ["of another claim", { claimRef: { ...claim, name: "data-1" } }],
  ["that nobody claims", { claimRef: undefined }],
  ["that is to stay", { persistentVolumeReclaimPolicy: "Retain" }],
])("a volume %s is left alone", async (_which, more) => {
  api.volumes = [volume(more)];
  await removal(50);
  expect(api.asked).toHaveLength(1);
});

test("who may not list volumes learns it when it is made, not in the middle of a destroy", async () => {
  api.refusals.push(403);
  await expect(makeVolumeCleanupProvider().create(inputs())).rejects.toThrow(
    /^aws: .*HTTP 403 when asked to list the volumes/,
  );
  expect((await makeVolumeCleanupProvider().create(inputs())).id).toBe("aws/spire/data-0");
});

test("to be refused the list is no volume that is gone", async () => {
  api.refusals.push(403);
  await expect(removal(50)).rejects.toThrow(/^aws: .*HTTP 403 when asked to list the volumes/);
});
