// The pod that has a SPIRE server's volume for a back-up, and what the commands say.
import { backupText } from "../../../cli/backup/backup";
import { restoreText } from "../../../cli/backup/restore";
import { volumePod } from "../../../cli/backup/volume";
import { selector } from "../../../components/kubernetes/metadata";
import { serverPod } from "../../../components/spire/server-pod";
import { SPIRE_SERVER } from "../../../components/well-known";
import { restrictedViolations } from "../spire/pod-security";

type Template = Parameters<typeof volumePod>[0];

const template = {
  ...serverPod({ image: "server", configChecksum: "" }),
} as Template;
template.spec!.tolerations = [{ key: "mesh", operator: "Exists" }];
template.spec!.imagePullSecrets = [{ name: "registry-logins" }];

test("the pod is restricted, has no token, ends by itself, and no Service of the server takes it for one", () => {
  const { metadata, spec } = volumePod(template, "node", undefined, 90_000);
  expect(restrictedViolations(spec)).toEqual([]);
  expect(spec).toMatchObject({
    automountServiceAccountToken: false,
    activeDeadlineSeconds: 90,
    securityContext: { runAsUser: 1000, fsGroup: 1000 },
  });
  for (const [key, value] of Object.entries(selector(SPIRE_SERVER.name)))
    if (key === "app.kubernetes.io/name") expect(metadata!.labels![key]).not.toBe(value);
});

test("it gets where the server's pods get, and to the server's node while that runs", () => {
  const { spec } = volumePod(template, "node", "node-1", 90_000);
  expect(spec).toMatchObject({
    tolerations: [{ key: "mesh", operator: "Exists" }],
    imagePullSecrets: [{ name: "registry-logins" }],
    volumes: [
      { persistentVolumeClaim: { claimName: "spire-data-spire-server-0" } },
      { emptyDir: { medium: "Memory" } },
    ],
  });
  expect(JSON.stringify(spec!.affinity)).toContain('"values":["node-1"]');
  expect(volumePod(template, "node", undefined, 90_000).spec!.affinity).toBeUndefined();
});

const counts = { entries: 7, agents: 2, relationships: 1 };
const report = {
  ok: true,
  cloud: "aws",
  made: "2026-11-30T03:17:00.000Z",
  bundleDigest: "f521aca0663c99",
  unchanged: true,
  counts,
  peers: [{ cloud: "gcp", trusts: true }],
};

test("a backup says what it has", () => {
  const text = backupText({ ...report, file: "aws.age", bytes: 20_480 });
  expect(text).toMatch(/^aws: aws\.age \(20 KiB, encrypted\).*7 registration entries, 2 SPIRE agents/);
});

test("a restore says what peers make of it, and what to do where one does not trust it", () => {
  expect(restoreText(report)).toMatch(/its bundle is the one of then \(f521aca0663c\)[^]*gcp +trusts it/);
  expect(restoreText(report)).not.toContain("A peer that has a newer");
  const peers = [{ cloud: "gcp", trusts: false, cause: "unknown authority" }];
  expect(restoreText({ ...report, ok: false, peers })).toMatch(
    /gcp +DOES NOT +unknown authority[^]*keeps it: `pulumi up --refresh`/,
  );
});
