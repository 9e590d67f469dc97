// What the containers that run containerboot have in common: environment, probes, and where they keep what
// (https://pkg.go.dev/tailscale.com/cmd/containerboot).
import type * as k8s from "@pulumi/kubernetes";
import { METRICS_PORT_NAMES, TAILNET } from "../../well-known";
import type { TailscaleSettings } from "../mode";
import { advertisedTags, type DeviceKind } from "./keys";

/** Directory of the daemon's socket, where the `tailscale` command looks for it, and of its scratch files. */
const RUN_DIR = "/var/run/tailscale";

/** Volume for that directory, in every pod of a device. */
const RUN_VOLUME = "tailscale-run";

/** Secret with the auth key of a namespace's devices, and the key in it. */
export const AUTH_SECRET = { name: "tailnet-auth-key", key: "authkey" } as const;

/** What a device's container is told. */
export interface DeviceEnv {
  readonly cloud: string;
  readonly kind: DeviceKind;
  /** Name it asks for on the tailnet. */
  readonly hostname: string;
  /** Whether it works without any right, rather than in the kernel. */
  readonly userspace: boolean;
  readonly settings: Pick<TailscaleSettings, "loginServer" | "manageTailnet" | "keys">;
  /** More arguments of `tailscale up`, which are kept with the device's state. Default: none. */
  readonly arguments?: readonly string[];
}

/**
 * Environment of containerboot. It logs in when it has to, not at each start, so that a device outlives its key; its state is in the Secret
 * that has the pod's name.
 */
export function deviceEnv(args: DeviceEnv): k8s.types.input.core.v1.EnvVar[] {
  const { cloud, kind, hostname, userspace, settings } = args;
  const { loginServer } = settings;
  const tags = advertisedTags(settings, cloud, kind);
  const extra = [
    ...(loginServer === undefined ? [] : [`--login-server=${loginServer}`]),
    ...(tags.length === 0 ? [] : [`--advertise-tags=${tags.join(",")}`]),
    ...(args.arguments ?? []),
  ];
  return [
    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: "TS_KUBE_SECRET", value: "$(POD_NAME)" },
    {
      name: "TS_AUTHKEY",
      valueFrom: { secretKeyRef: { name: AUTH_SECRET.name, key: AUTH_SECRET.key } },
    },
    { name: "TS_AUTH_ONCE", value: "true" },
    { name: "TS_HOSTNAME", value: hostname },
    { name: "TS_USERSPACE", value: String(userspace) },
    // Pods resolve names in their cluster. The proxy asks the tailnet by itself.
    { name: "TS_ACCEPT_DNS", value: "false" },
    { name: "TS_SOCKET", value: `${RUN_DIR}/tailscaled.sock` },
    { name: "TS_STATE_DIR", value: `${RUN_DIR}/state` },
    { name: "TS_LOCAL_ADDR_PORT", value: `[::]:${TAILNET.healthPort}` },
    { name: "TS_ENABLE_HEALTH_CHECK", value: "true" },
    { name: "TS_ENABLE_METRICS", value: "true" },
    ...(extra.length === 0 ? [] : [{ name: "TS_EXTRA_ARGS", value: extra.join(" ") }]),
    // Logs go to Tailscale for support, which has none to give to users of other control servers.
    ...(loginServer === undefined ? [] : [{ name: "TS_NO_LOGS_NO_SUPPORT", value: "true" }]),
  ];
}

/** Port of health checks and metrics. */
export const HEALTH_PORT = { name: METRICS_PORT_NAMES.tailnet, containerPort: TAILNET.healthPort } as const;

/**
 * Probes of a device: it is healthy when it has an address on the tailnet. containerboot gives up by itself, and starts over, when it has
 * none a minute after its start.
 */
export function deviceProbes() {
  const httpGet = { path: "/healthz", port: HEALTH_PORT.name };
  return {
    startupProbe: { httpGet, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 120 },
    livenessProbe: { httpGet, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
  };
}

/** Volume of a device's socket and scratch files, and how its container mounts it. */
export const RUN_FILES = {
  volume: { name: RUN_VOLUME, emptyDir: { sizeLimit: "64Mi" } },
  mount: { name: RUN_VOLUME, mountPath: RUN_DIR },
} as const;
