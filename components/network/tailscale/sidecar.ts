// Puts a pod on the tailnet: pure functions that add a sidecar without any privilege to it.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, UNPRIVILEGED } from "../../kubernetes/container";
import { agentName, TAILNET } from "../../well-known";
import type { TailscaleSettings } from "../mode";
import { type DeviceEnv, deviceEnv, HEALTH_PORT, RUN_FILES } from "./containerboot";
import { serveGlobal, serveVolume } from "./global-service";
import { SIDECAR_SIZE } from "./sizes";

type Template = k8s.types.input.core.v1.PodTemplateSpec;
type PodSpec = k8s.types.input.core.v1.PodSpec;

/** What `withSidecar` needs. */
export interface SidecarArgs {
  readonly cloud: string;
  readonly role: string;
  readonly settings: Pick<TailscaleSettings, "loginServer" | "manageTailnet" | "keys">;
  readonly image: string;
  /** Whether these agents answer under the common name, too. */
  readonly servesGlobal: boolean;
}

/** Where Kubernetes' clients look for a pod's token. */
const TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_VOLUME = "tailnet-token";

/** Seconds by which a pod's end may be later: containerboot withdraws what it serves, and waits up to 25 until that is known. */
const GRACE = { serving: 30, alone: 5 } as const;

/** Seconds that Kubernetes gives a pod by default. */
const DEFAULT_GRACE = 30;

/**
 * What the container runs. containerboot ends when it has not come on the tailnet within a minute. Left to Kubernetes, which waits longer each time, that would
 * make the pod unready for most of the time that the tailnet is away, and take the agent from its own cloud, too. So it is begun anew within the container.
 */
const KEEP_RUNNING =
  "trap 'kill $device; wait $device; exit 0' TERM; " +
  "while :; do containerboot & device=$!; wait $device; sleep 5; done";

/** Waits for the device, for half a minute at most: a pod that is ready can be called over the tailnet, and one without a tailnet serves its own cloud. */
const AWAIT_DEVICE = "for second in $(seq 30); do tailscale ip >/dev/null 2>&1 && break; sleep 1; done";

/** The pod of an agent with a device of the tailnet beside it. */
export function withSidecar(template: Template, args: SidecarArgs): Template {
  const { cloud, role, settings, image, servesGlobal } = args;
  return withDevice(template, {
    device: { cloud, kind: "agents", hostname: agentName(cloud, role), settings },
    image,
    servesGlobal,
  });
}

/** What `withDevice` needs. */
export interface PodDeviceArgs {
  readonly device: Omit<DeviceEnv, "userspace">;
  readonly image: string;
  /** Whether it answers under the common name of all agents, too. Default: false. */
  readonly servesGlobal?: boolean;
}

/**
 * The pod with a device of the tailnet beside its containers: what arrives at the device goes to the same port on localhost, and what goes
 * out takes its HTTP proxy. It starts before them, which wait for its device, but not for ever, and ends after them
 * (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/). It has the account's token; the template says whether others see it, too.
 */
export function withDevice(template: Template, args: PodDeviceArgs): Template {
  const { device, image, servesGlobal = false } = args;
  // The template is made of plain values.
  const spec = template.spec as PodSpec;
  const list = <T>(values: unknown) => (values ?? []) as T[];
  const global = servesGlobal ? serveGlobal() : undefined;
  const sidecar = {
    name: TAILNET.sidecar,
    image,
    command: ["/bin/sh", "-c", KEEP_RUNNING],
    restartPolicy: "Always",
    env: [
      ...deviceEnv({ ...device, userspace: true }),
      { name: "TS_OUTBOUND_HTTP_PROXY_LISTEN", value: `127.0.0.1:${TAILNET.proxyPort}` },
      ...list<k8s.types.input.core.v1.EnvVar>(global?.env),
    ],
    ports: [HEALTH_PORT],
    // Whether its programs answer, on the tailnet or not: containerboot asks tailscaled.
    livenessProbe: {
      httpGet: { path: "/metrics", port: HEALTH_PORT.name },
      periodSeconds: 30,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    lifecycle: {
      postStart: shell([AWAIT_DEVICE, ...(global === undefined ? [] : [global.start])].join("; ")),
      ...(global === undefined ? {} : { preStop: shell(global.stop) }),
    },
    resources: containerResources(undefined, SIDECAR_SIZE),
    securityContext: UNPRIVILEGED,
    volumeMounts: [
      RUN_FILES.mount,
      { name: TOKEN_VOLUME, mountPath: TOKEN_DIR, readOnly: true },
      ...list<k8s.types.input.core.v1.VolumeMount>(global?.volumeMounts),
    ],
  };
  const grace = (spec.terminationGracePeriodSeconds as number | undefined) ?? DEFAULT_GRACE;
  return {
    ...template,
    spec: {
      ...spec,
      terminationGracePeriodSeconds: grace + (servesGlobal ? GRACE.serving : GRACE.alone),
      initContainers: [sidecar, ...list<k8s.types.input.core.v1.Container>(spec.initContainers)],
      volumes: [
        ...list<k8s.types.input.core.v1.Volume>(spec.volumes),
        RUN_FILES.volume,
        tokenVolume(),
        ...(servesGlobal ? [serveVolume()] : []),
      ],
    },
  };
}

const shell = (command: string) => ({ exec: { command: ["/bin/sh", "-c", command] } });

/** What a pod gets where its account's token is mounted by itself, for one container alone. */
function tokenVolume(): k8s.types.input.core.v1.Volume {
  return {
    name: TOKEN_VOLUME,
    projected: {
      sources: [
        // Kubernetes renews it; one hour is what it takes for its own.
        { serviceAccountToken: { path: "token", expirationSeconds: 3607 } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}
