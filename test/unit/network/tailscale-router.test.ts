import * as pulumi from "@pulumi/pulumi";
import { resolveImages } from "../../../components/images";
import type { TailscaleSettings } from "../../../components/network/mode";
import { SubnetRouters } from "../../../components/network/tailscale/router";
import type { RouterMode } from "../../../components/network/tailscale/router-pod";
import { type Recording, record, unwrapSecret } from "../../../infra/plan/recorder";
import { awsCluster, MANAGED } from "../../support/tailnet";
import { restrictedViolations } from "../spire/pod-security";

const TYPES = {
  namespace: "kubernetes:core/v1:Namespace",
  secret: "kubernetes:core/v1:Secret",
  account: "kubernetes:core/v1:ServiceAccount",
  role: "kubernetes:rbac.authorization.k8s.io/v1:Role",
  binding: "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
  workload: "kubernetes:apps/v1:StatefulSet",
  budget: "kubernetes:policy/v1:PodDisruptionBudget",
  policy: "kubernetes:networking.k8s.io/v1:NetworkPolicy",
};

async function stand(
  mode: RouterMode = "userspace",
  settings: Partial<TailscaleSettings> = {},
): Promise<Recording> {
  const [, recording] = await record(
    () =>
      new SubnetRouters("aws-subnet-routers", {
        cluster: awsCluster(),
        mode,
        settings: { ...MANAGED, ...settings },
        authKey: pulumi.secret("tskey-routers"),
        images: resolveImages(),
        flows: { mode: "tailscale", peerRanges: [] },
      }),
  );
  return recording;
}

const podOf = (recording: Recording) => recording.one(TYPES.workload).inputs.spec.template.spec;
const containerOf = (recording: Recording) => podOf(recording).containers[0];
/** Environment variables with plain values. */
const envOf = (recording: Recording): Record<string, string> =>
  Object.fromEntries(
    containerOf(recording).env.flatMap(({ name, value }: { name: string; value?: string }) =>
      value === undefined ? [] : [[name, value]],
    ),
  );

test("a router is told its name, its state's Secret, its ranges, and how it is watched", async () => {
  const recording = await stand();
  expect(envOf(recording)).toEqual({
    TS_KUBE_SECRET: "$(POD_NAME)",
    TS_AUTH_ONCE: "true",
    TS_HOSTNAME: "aws-$(POD_NAME)",
    TS_USERSPACE: "true",
    TS_ACCEPT_DNS: "false",
    TS_SOCKET: "/var/run/tailscale/tailscaled.sock",
    TS_STATE_DIR: "/var/run/tailscale/state",
    TS_LOCAL_ADDR_PORT: "[::]:9002",
    TS_ENABLE_HEALTH_CHECK: "true",
    TS_ENABLE_METRICS: "true",
    TS_ROUTES: "10.0.0.0/16,10.1.0.0/16",
  });
  const { env } = containerOf(recording);
  // What refers to a variable comes after it.
  expect(env[0]).toEqual({ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } });
  expect(env).toContainEqual({
    name: "TS_AUTHKEY",
    valueFrom: { secretKeyRef: { name: "tailnet-auth-key", key: "authkey" } },
  });
});

test("a control server of one's own gets the router, and no logs go to Tailscale", async () => {
  const env = envOf(
    await stand("userspace", { loginServer: "https://headscale.example.org", manageTailnet: false }),
  );
  expect(env).toMatchObject({
    TS_EXTRA_ARGS: "--login-server=https://headscale.example.org",
    TS_NO_LOGS_NO_SUPPORT: "true",
  });
});

test("with an OAuth client, a router asks for its tag", async () => {
  const env = envOf(await stand("userspace", { keys: { kind: "oauthClient", expiryDays: 90 } }));
  expect(env.TS_EXTRA_ARGS).toBe("--advertise-tags=tag:agentweave-aws-router");
});

test("the auth key is a secret, and nowhere else", async () => {
  const recording = await stand();
  const secret = recording.one(TYPES.secret, "aws-subnet-routers-auth-key");
  expect(secret.inputs.metadata).toMatchObject({ name: "tailnet-auth-key", namespace: "tailscale" });
  expect(unwrapSecretOf(secret.inputs.stringData)).toEqual({
    authkey: "tskey-routers",
  });
  for (const { inputs, name } of recording.resources) {
    if (name !== secret.name) expect(JSON.stringify(inputs)).not.toContain("tskey-");
  }
});

/** The data of a Secret, which the SDK may make secret as a whole or value by value. */
function unwrapSecretOf(data: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(data)) return unwrapSecret(data);
  return Object.fromEntries(Object.entries(data as object).map(([key, value]) => [key, unwrapSecret(value)]));
}

test("each replica has a Secret of its pod's name, made empty beforehand", async () => {
  const recording = await stand("userspace", { router: { replicas: 3 } });
  const states = recording.all(TYPES.secret).filter(({ name }) => !name.endsWith("-auth-key"));
  const { metadata, spec } = recording.one(TYPES.workload).inputs;
  expect(states.map(({ inputs }) => inputs.metadata.name).sort()).toEqual(
    [0, 1, 2].map((n) => `${metadata.name}-${n}`),
  );
  for (const { inputs } of states) {
    expect(inputs.metadata.namespace).toBe("tailscale");
    expect(inputs).not.toHaveProperty("data");
    expect(inputs).not.toHaveProperty("stringData");
  }
  expect(spec.replicas).toBe(3);
});

test("routers may get, update and patch the Secrets of their state, and nothing else", async () => {
  const recording = await stand();
  expect(recording.one(TYPES.role).inputs.rules).toEqual([
    {
      apiGroups: [""],
      resources: ["secrets"],
      resourceNames: ["subnet-router-0", "subnet-router-1"],
      verbs: ["get", "update", "patch"],
    },
  ]);
  const { roleRef, subjects } = recording.one(TYPES.binding).inputs;
  expect(roleRef).toEqual({
    apiGroup: "rbac.authorization.k8s.io",
    kind: "Role",
    name: recording.one(TYPES.role).inputs.metadata.name,
  });
  expect(subjects).toEqual([
    { kind: "ServiceAccount", name: podOf(recording).serviceAccountName, namespace: "tailscale" },
  ]);
});

test("two routers are never on one node while another has none", async () => {
  const recording = await stand();
  const { spec } = recording.one(TYPES.workload).inputs;
  expect(spec.template.spec.topologySpreadConstraints[0]).toEqual({
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "DoNotSchedule",
    labelSelector: spec.selector,
  });
  expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
});

test("an eviction takes one router at a time, and none is blocked where there is only one", async () => {
  const { inputs } = (await stand()).one(TYPES.budget);
  expect(inputs.spec).toMatchObject({ maxUnavailable: 1 });
  expect((await stand("userspace", { router: { replicas: 1 } })).all(TYPES.budget)).toEqual([]);
});

test("a router that leaves gives its routes away before it stops to forward", async () => {
  const pod = podOf(await stand());
  const [shell, option, command] = pod.containers[0].lifecycle.preStop.exec.command;
  expect([shell, option]).toEqual(["/bin/sh", "-c"]);
  const [, seconds] = /^tailscale set --advertise-routes= ; sleep (\d+)$/.exec(command)!;
  // Control servers take 15 seconds to choose another; after this come 25 that containerboot may take.
  expect(Number(seconds)).toBeGreaterThan(15);
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(seconds) + 25);
});

test("health and metrics are at containerboot's port", async () => {
  const recording = await stand();
  const container = containerOf(recording);
  expect(container.ports).toEqual([{ name: "tailnet-health", containerPort: 9002 }]);
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    expect(container[probe].httpGet).toEqual({ path: "/healthz", port: "tailnet-health" });
  }
  expect(recording.one(TYPES.workload).inputs.spec.template.metadata.annotations).toEqual({
    "prometheus.io/scrape": "true",
    "prometheus.io/port": "9002",
    "prometheus.io/path": "/metrics",
  });
});

test("in userspace a router has no right at all, and its namespace lets in none that has", async () => {
  const recording = await stand();
  expect(restrictedViolations(podOf(recording))).toEqual([]);
  expect(containerOf(recording).securityContext.readOnlyRootFilesystem).toBe(true);
  expect(recording.one(TYPES.namespace).inputs.metadata).toMatchObject({
    name: "tailscale",
    labels: { "pod-security.kubernetes.io/enforce": "restricted" },
  });
});

test("in the kernel it has those of its node, in a namespace that says so", async () => {
  const recording = await stand("kernel");
  expect(envOf(recording).TS_USERSPACE).toBe("false");
  expect(containerOf(recording).securityContext).toEqual({ privileged: true });
  expect(podOf(recording).securityContext.runAsUser).toBe(0);
  expect(recording.one(TYPES.namespace).inputs.metadata.labels).toMatchObject({
    "pod-security.kubernetes.io/enforce": "privileged",
  });
});

test("routers start with their rights, their key and the NetworkPolicies in place, and leave before them", async () => {
  const recording = await stand();
  const workload = recording.one(TYPES.workload);
  const needed = [TYPES.namespace, TYPES.secret, TYPES.account, TYPES.role, TYPES.binding, TYPES.policy];
  for (const resource of needed.flatMap((type) => recording.all(type))) {
    expect(recording.leavesBefore(workload, resource)).toBe(true);
  }
  expect(recording.all(TYPES.policy).length).toBeGreaterThan(0);
});
