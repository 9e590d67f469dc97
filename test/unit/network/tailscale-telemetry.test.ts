import * as pulumi from "@pulumi/pulumi";
import {
  ObservabilityTailnetAccess,
  withTelemetrySidecar,
} from "../../../components/network/tailscale/telemetry";
import {
  type TelemetryDevice,
  telemetryDevices,
  telemetryHostname,
} from "../../../components/network/tailscale/telemetry-devices";
import { record, type Recording } from "../../../infra/plan/recorder";
import { awsCluster } from "../../support/tailnet";
import { restrictedViolations } from "../spire/pod-security";

/** A pod as small as can be, whose own container has no token. */
const TEMPLATE = {
  metadata: { labels: { app: "a" } },
  spec: {
    serviceAccountName: "jaeger",
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "jaeger",
        image: "jaeger:1",
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
};

/* eslint-disable @typescript-eslint/no-explicit-any -- Pods are made of inputs, which may be outputs. */
function pod(device: TelemetryDevice, settings: object = {}): any {
  return withTelemetrySidecar(TEMPLATE, {
    cloud: "aws",
    device,
    settings: { manageTailnet: true, keys: { kind: "authKey", expiryDays: 90 }, ...settings },
    image: "tailscale/tailscale:v1.102.5",
  }).spec;
}
const envOf = (spec: any): Record<string, string> =>
  Object.fromEntries(spec.initContainers[0].env.map(({ name, value }: any) => [name, value]));
/* eslint-enable @typescript-eslint/no-explicit-any */

test("devices are called after their cloud and what they are", () => {
  expect(telemetryHostname("aws", "traces")).toBe("aws-traces");
  for (const device of ["collector", "traces", "prometheus"] as const) {
    expect(envOf(pod(device))).toMatchObject({
      TS_HOSTNAME: `aws-${device}`,
      TS_KUBE_SECRET: "$(POD_NAME)",
      TS_OUTBOUND_HTTP_PROXY_LISTEN: "127.0.0.1:1055",
    });
  }
});

test("the trace store alone can be called, and Prometheus alone uses the routers' ranges", () => {
  expect(envOf(pod("traces"))).not.toHaveProperty("TS_EXTRA_ARGS");
  expect(envOf(pod("collector")).TS_EXTRA_ARGS).toBe("--shields-up");
  expect(envOf(pod("prometheus")).TS_EXTRA_ARGS).toBe("--shields-up --accept-routes");
});

test("with an OAuth client, a device asks for the tag of observability", () => {
  const keys = { kind: "oauthClient", expiryDays: 90 };
  expect(envOf(pod("traces", { keys })).TS_EXTRA_ARGS).toBe("--advertise-tags=tag:agentweave-observability");
});

test("the pod stays restricted, and its own container sees no token", () => {
  const { initContainers, containers, ...spec } = pod("traces");
  expect(restrictedViolations({ ...spec, containers: [...initContainers, ...containers] })).toEqual([]);
  expect(containers).toEqual(TEMPLATE.spec.containers);
  expect(initContainers[0].volumeMounts).toContainEqual(
    expect.objectContaining({ mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }),
  );
});

test.each<[string, Parameters<typeof telemetryDevices>[0], TelemetryDevice[]]>([
  ["a cloud that sends traces", { home: false, scrapedBy: "apiServer" }, ["collector"]],
  ["the home cloud", { home: true, scrapedBy: "pods", readsOthersBy: "apiServer" }, ["traces"]],
  [
    "a home cloud that reads over the tailnet",
    { home: true, scrapedBy: "pods", readsOthersBy: "network" },
    ["traces", "prometheus"],
  ],
  ["a home cloud that is alone", { home: true, scrapedBy: "pods" }, []],
])("%s has those devices that it needs", (_, part, expected) => {
  expect(telemetryDevices(part)).toEqual(expected);
});

describe("the namespace", () => {
  async function stand(): Promise<Recording> {
    const [, recording] = await record(
      () =>
        new ObservabilityTailnetAccess("aws-observability-tailnet", {
          cluster: awsCluster(),
          devices: [
            { device: "collector", maxReplicas: 2 },
            { device: "traces", maxReplicas: 1 },
            { device: "prometheus", maxReplicas: 1 },
          ],
          authKey: pulumi.secret("tskey-observability"),
        }),
    );
    return recording;
  }

  test("has a Secret for the state of each pod, and one with the key", async () => {
    const secrets = (await stand()).all("kubernetes:core/v1:Secret");
    expect(
      secrets.map(({ inputs: { metadata } }) => `${metadata.namespace}/${metadata.name}`).sort(),
    ).toEqual(
      ["jaeger-0", "otel-collector-0", "otel-collector-1", "prometheus-0", "tailnet-auth-key"].map(
        (name) => `observability/${name}`,
      ),
    );
    const plain = secrets.filter(({ inputs }) => inputs.metadata.name !== "tailnet-auth-key");
    for (const { inputs } of plain) expect(JSON.stringify(inputs)).not.toContain("tskey-");
  });

  test("gives each workload's account a right to its own pods' Secrets and to nothing else", async () => {
    const recording = await stand();
    const rights = recording
      .all("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
      .map(({ inputs: { roleRef, subjects } }) => {
        const role = recording
          .all("kubernetes:rbac.authorization.k8s.io/v1:Role")
          .find(({ inputs }) => inputs.metadata.name === roleRef.name)!;
        const [{ resources, resourceNames, verbs }, ...more] = role.inputs.rules;
        expect([resources, verbs, more]).toEqual([["secrets"], ["get", "update", "patch"], []]);
        return `${subjects[0].name}: ${resourceNames.join(", ")}`;
      });
    expect(rights.sort()).toEqual([
      "jaeger: jaeger-0",
      "otel-collector: otel-collector-0, otel-collector-1",
      "prometheus: prometheus-0",
    ]);
  });
});
