import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { TailnetAccess } from "../../../components/network/tailscale/access";
import { type SidecarArgs, withSidecar } from "../../../components/network/tailscale/sidecar";
import { agentPod } from "../../../components/workloads/agent-pod";
import { type Recording, record, unwrapSecret } from "../../../infra/plan/recorder";
import { awsCluster } from "../../support/tailnet";
import { restrictedViolations } from "../spire/pod-security";

const BARE = agentPod({ cloud: "aws", role: "agent", image: "agent:1", checksum: "c" });
const SETTINGS: SidecarArgs["settings"] = { manageTailnet: true, keys: { kind: "authKey", expiryDays: 90 } };

/* eslint-disable @typescript-eslint/no-explicit-any -- Pods are made of inputs, which may be outputs. */
function pod(args: Partial<SidecarArgs> = {}): any {
  return withSidecar(BARE, {
    cloud: "aws",
    role: "agent",
    settings: SETTINGS,
    image: "tailscale/tailscale:v1.102.5",
    servesGlobal: false,
    ...args,
  }).spec;
}
const bare = BARE.spec as any;
const sidecarOf = (spec: any) => spec.initContainers[0];
const envOf = (spec: any): Record<string, string> =>
  Object.fromEntries(
    sidecarOf(spec).env.flatMap(({ name, value }: any) => (value === undefined ? [] : [[name, value]])),
  );

test("the sidecar is told its name, its state's Secret, and to offer a proxy on localhost", () => {
  expect(envOf(pod())).toEqual({
    TS_KUBE_SECRET: "$(POD_NAME)",
    TS_AUTH_ONCE: "true",
    TS_HOSTNAME: "aws-agent",
    TS_USERSPACE: "true",
    TS_ACCEPT_DNS: "false",
    TS_SOCKET: "/var/run/tailscale/tailscaled.sock",
    TS_STATE_DIR: "/var/run/tailscale/state",
    TS_LOCAL_ADDR_PORT: "[::]:9002",
    TS_ENABLE_HEALTH_CHECK: "true",
    TS_ENABLE_METRICS: "true",
    TS_OUTBOUND_HTTP_PROXY_LISTEN: "127.0.0.1:1055",
  });
  expect(sidecarOf(pod()).env).toContainEqual({
    name: "TS_AUTHKEY",
    valueFrom: { secretKeyRef: { name: "tailnet-auth-key", key: "authkey" } },
  });
  expect(envOf(pod({ cloud: "gcp", role: "orchestrator" })).TS_HOSTNAME).toBe("gcp-orchestrator");
});

test("a control server of one's own gets the device, and no logs go to Tailscale", () => {
  const settings = { ...SETTINGS, manageTailnet: false, loginServer: "https://headscale.example.org" };
  expect(envOf(pod({ settings }))).toMatchObject({
    TS_EXTRA_ARGS: "--login-server=https://headscale.example.org",
    TS_NO_LOGS_NO_SUPPORT: "true",
  });
});

test("with an OAuth client, a device asks for the agents' tag", () => {
  const settings = { ...SETTINGS, keys: { kind: "oauthClient", expiryDays: 90 } as const };
  expect(envOf(pod({ settings })).TS_EXTRA_ARGS).toBe("--advertise-tags=tag:agentweave-agent");
});

test("the sidecar starts before the agent and ends after it", () => {
  expect(sidecarOf(pod()).restartPolicy).toBe("Always");
  expect(sidecarOf(pod()).ports).toEqual([{ name: "tailnet-health", containerPort: 9002 }]);
  expect(pod().terminationGracePeriodSeconds).toBeGreaterThan(bare.terminationGracePeriodSeconds);
});

test("a tailnet that fails takes no agent out of its Service, and keeps none from starting", () => {
  const sidecar = sidecarOf(pod());
  expect(sidecar.readinessProbe).toBeUndefined();
  // A container that is not started, or waits to be started again, makes its pod unready.
  expect(sidecar.startupProbe).toBeUndefined();
  expect(sidecar.livenessProbe.httpGet).toEqual({ path: "/metrics", port: "tailnet-health" });
});

describe("the shell in the sidecar", () => {
  /** Runs a command of the container, with these programs in place of the image's. */
  const shell = ({ command }: { command: string[] }, programs: Record<string, string>) => {
    const bin = mkdtempSync(join(tmpdir(), "sidecar-"));
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    const child = spawn(command[0]!, command.slice(1), { env: { PATH: `${bin}:${process.env.PATH}` } });
    let printed = "";
    child.stdout.on("data", (data: Buffer) => (printed += data.toString()));
    const ended = once(child, "exit").finally(() => rmSync(bin, { recursive: true })) as Promise<[number]>;
    return { child, ended, printed: () => printed };
  };

  test("begins containerboot anew when it gives up", async () => {
    const { child, ended, printed } = shell(sidecarOf(pod()), { containerboot: "echo begun", sleep: ":" });
    while (!/begun\nbegun/.test(printed())) await once(child.stdout, "data");
    child.kill();
    await ended;
  });

  test("ends containerboot with itself, and waits for it", async () => {
    const containerboot = "trap 'echo ended; exit' TERM; echo begun; while :; do sleep 0.1; done";
    const { child, ended, printed } = shell(sidecarOf(pod()), { containerboot });
    await once(child.stdout, "data");
    child.kill();
    expect((await ended)[0]).toBe(0);
    expect(printed()).toBe("begun\nended\n");
  });

  test("has the agent wait for the device, but not for ever", async () => {
    const { exec } = sidecarOf(pod()).lifecycle.postStart;
    const up = shell(exec, { tailscale: "echo up >&2; exit 0", sleep: "echo waited" });
    expect((await up.ended)[0]).toBe(0);
    expect(up.printed()).toBe("");
    const away = shell(exec, { tailscale: "exit 1", sleep: "echo waited" });
    expect((await away.ended)[0]).toBe(0);
    expect(away.printed()).toBe("waited\n".repeat(30));
  });
});

test("the agent's own container, its ports and its labels stay as they are", () => {
  expect(pod().containers).toEqual(bare.containers);
  expect(
    withSidecar(BARE, { cloud: "aws", role: "agent", settings: SETTINGS, image: "i:1", servesGlobal: true })
      .metadata,
  ).toEqual(BARE.metadata);
  const ports = bare.containers[0].ports.map(({ containerPort }: any) => containerPort);
  expect(ports).not.toContain(9002);
  expect(ports).not.toContain(1055);
});

test("only the sidecar sees the account's token, where Kubernetes' clients look for it", () => {
  const spec = pod({ servesGlobal: true });
  expect(spec.automountServiceAccountToken).toBe(false);
  const { name, projected } = spec.volumes.find((volume: any) => volume.projected);
  expect(sidecarOf(spec).volumeMounts).toContainEqual({
    name,
    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
    readOnly: true,
  });
  expect(projected.sources.flatMap((source: any) => Object.keys(source))).toEqual([
    "serviceAccountToken",
    "configMap",
    "downwardAPI",
  ]);
  const paths = projected.sources.flatMap(({ serviceAccountToken, configMap, downwardAPI }: any) =>
    serviceAccountToken
      ? [serviceAccountToken.path]
      : (configMap ?? downwardAPI).items.map(({ path }: any) => path),
  );
  expect(paths).toEqual(["token", "ca.crt", "namespace"]);
  for (const { volumeMounts } of spec.containers) {
    expect(volumeMounts.map((mount: any) => mount.name)).not.toContain(name);
  }
});

test("the sidecar has no right that the Pod Security Standard restricted does not give", () => {
  for (const servesGlobal of [true, false]) {
    const { initContainers, containers, ...spec } = pod({ servesGlobal });
    expect(restrictedViolations({ ...spec, containers: [...initContainers, ...containers] })).toEqual([]);
    expect(sidecarOf(pod({ servesGlobal })).securityContext.readOnlyRootFilesystem).toBe(true);
  }
});

test("every volume that a container mounts is there, once", () => {
  const { initContainers, containers, volumes } = pod({ servesGlobal: true });
  const names = volumes.map(({ name }: any) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { volumeMounts } of [...initContainers, ...containers]) {
    for (const { name } of volumeMounts) expect(names).toContain(name);
  }
});

describe("the common name", () => {
  test("is served by those sidecars that shall, from what the ConfigMap says", () => {
    expect(envOf(pod({ servesGlobal: true })).TS_SERVE_CONFIG).toBe("/etc/tailscale-serve/serve.json");
    expect(envOf(pod())).not.toHaveProperty("TS_SERVE_CONFIG");
    expect(pod({ servesGlobal: true }).volumes).toContainEqual({
      name: "tailnet-serve",
      configMap: { name: "tailnet-serve" },
    });
  });

  test("is offered once the device is up, and given away while the agent still answers", () => {
    const { lifecycle } = sidecarOf(pod({ servesGlobal: true }));
    const [start, stop] = [lifecycle.postStart, lifecycle.preStop].map(({ exec }: any) => exec.command[2]);
    expect(start).toMatch(
      /; \(until .*9002\/healthz.* tailscale serve advertise svc:agentweave-global\).*&$/,
    );
    expect(stop).toMatch(/^tailscale serve drain svc:agentweave-global\b/);
    expect(sidecarOf(pod()).lifecycle.preStop).toBeUndefined();
    expect(sidecarOf(pod()).lifecycle.postStart.exec.command[2]).not.toContain("serve");
  });

  test("leaves containerboot its 25 seconds to withdraw after the agent has gone", () => {
    const spec = pod({ servesGlobal: true });
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
      bare.terminationGracePeriodSeconds + 25,
    );
  });
});

describe("the agents' namespace", () => {
  const TYPES = {
    secret: "kubernetes:core/v1:Secret",
    configMap: "kubernetes:core/v1:ConfigMap",
    role: "kubernetes:rbac.authorization.k8s.io/v1:Role",
    binding: "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
  };

  async function stand(global = true): Promise<Recording> {
    const [, recording] = await record(
      () =>
        new TailnetAccess("aws-agentweave-tailnet", {
          cluster: awsCluster(),
          roles: [
            { role: "agent", maxReplicas: 2 },
            { role: "worker", maxReplicas: 1 },
          ],
          authKey: pulumi.secret("tskey-agents"),
          global,
        }),
    );
    return recording;
  }

  test("has a Secret for the state of each pod that there may be, made empty, and one with the key", async () => {
    const secrets = (await stand()).all(TYPES.secret);
    expect(secrets.map(({ inputs }) => inputs.metadata.name).sort()).toEqual([
      "agentweave-agent-0",
      "agentweave-agent-1",
      "agentweave-worker-0",
      "tailnet-auth-key",
    ]);
    for (const { inputs } of secrets) {
      expect(inputs.metadata.namespace).toBe("agentweave");
      if (inputs.metadata.name !== "tailnet-auth-key")
        expect(Object.keys(inputs)).not.toContain("stringData");
    }
  });

  test("gives each role a right to its own pods' Secrets and to nothing else", async () => {
    const recording = await stand();
    const rights = recording.all(TYPES.binding).map(({ inputs: { roleRef, subjects } }) => {
      const role = recording.all(TYPES.role).find(({ inputs }) => inputs.metadata.name === roleRef.name);
      return [subjects, role!.inputs.rules];
    });
    const right = (resourceNames: string[]) => [
      { apiGroups: [""], resources: ["secrets"], resourceNames, verbs: ["get", "update", "patch"] },
    ];
    const account = (name: string) => [{ kind: "ServiceAccount", name, namespace: "agentweave" }];
    expect(rights).toHaveLength(2);
    // In no order: resources register when what they depend on is there.
    expect(rights).toEqual(
      expect.arrayContaining([
        [account("agentweave-agent"), right(["agentweave-agent-0", "agentweave-agent-1"])],
        [account("agentweave-worker"), right(["agentweave-worker-0"])],
      ]),
    );
  });

  test("has the key as a secret and nowhere else", async () => {
    const recording = await stand();
    const key = recording.one(TYPES.secret, "aws-agentweave-tailnet-auth-key");
    const data = key.inputs.stringData;
    expect(
      pulumi.runtime.isRpcSecret(data) ? unwrapSecret(data) : { authkey: unwrapSecret(data.authkey) },
    ).toEqual({ authkey: "tskey-agents" });
    for (const { inputs, name } of recording.resources) {
      if (name !== key.name) expect(JSON.stringify(inputs)).not.toContain("tskey-");
    }
  });

  test("has what sidecars serve: TCP at 8443 for the agent on localhost, untouched", async () => {
    const { inputs } = (await stand()).one(TYPES.configMap);
    expect(JSON.parse(inputs.data["serve.json"])).toEqual({
      Services: { "svc:agentweave-global": { TCP: { 8443: { TCPForward: "127.0.0.1:8443" } } } },
    });
    expect((await stand(false)).all(TYPES.configMap)).toEqual([]);
  });
});
