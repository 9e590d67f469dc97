// The pod of a subnet router: a pure function.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, nonRoot, UNPRIVILEGED } from "../../kubernetes/container";
import { TAILNET } from "../../well-known";
import { labels, scrapeAnnotations, selector } from "../../kubernetes/metadata";
import { deviceEnv, deviceProbes, HEALTH_PORT, RUN_FILES } from "./containerboot";
import type { TailscaleSettings } from "../mode";
import { ROUTER_SIZE } from "./sizes";

/**
 * How a subnet router forwards. `userspace` needs no right at all. `kernel` is faster, keeps what is no TCP, UDP or ping, and needs the node's.
 */
export type RouterMode = "userspace" | "kernel";

/** User and group of the process in userspace. */
const UID = 65532;

/**
 * Seconds for which a router that leaves goes on to forward without offering its routes. Control servers take up to 15 to choose another one,
 * and have to tell everybody (https://tailscale.com/kb/1115/high-availability).
 */
const DRAIN = 20;

/** What `routerPod` needs. */
export interface RouterPodArgs {
  readonly cloud: string;
  readonly mode: RouterMode;
  /** Ranges that it routes, in CIDR notation. */
  readonly routes: readonly string[];
  readonly image: string;
  /** Default: `ROUTER_SIZE`. */
  readonly size?: ContainerSize;
  readonly settings: Pick<TailscaleSettings, "loginServer" | "manageTailnet" | "keys">;
}

/** Template of a subnet router's pod. */
export function routerPod(args: RouterPodArgs): k8s.types.input.core.v1.PodTemplateSpec {
  const { cloud, mode, routes, image, size, settings } = args;
  const userspace = mode === "userspace";
  const probe = { httpGet: { path: "/healthz", port: HEALTH_PORT.name } };
  const spread = (topologyKey: string, whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway") => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector: { matchLabels: selector(TAILNET.router) },
  });
  return {
    metadata: {
      labels: labels(TAILNET.router, "network"),
      annotations: scrapeAnnotations(TAILNET.healthPort),
    },
    spec: {
      serviceAccountName: TAILNET.router,
      enableServiceLinks: false,
      nodeSelector: { "kubernetes.io/os": "linux" },
      terminationGracePeriodSeconds: DRAIN + 30,
      topologySpreadConstraints: [
        // Never two on a node while another one has none; a cluster of one node still gets all.
        spread("kubernetes.io/hostname", "DoNotSchedule"),
        spread("topology.kubernetes.io/zone", "ScheduleAnyway"),
      ],
      securityContext: userspace
        ? nonRoot(UID)
        : { runAsUser: 0, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: TAILNET.router,
          image,
          env: [
            ...deviceEnv({
              cloud,
              kind: "routers",
              hostname: `${cloud}-$(POD_NAME)`,
              userspace,
              settings,
            }),
            { name: "TS_ROUTES", value: routes.join(",") },
          ],
          ports: [HEALTH_PORT],
          ...deviceProbes(),
          readinessProbe: { ...probe, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
          lifecycle: {
            preStop: {
              exec: {
                command: ["/bin/sh", "-c", `tailscale set --advertise-routes= ; sleep ${DRAIN}`],
              },
            },
          },
          resources: containerResources(size, ROUTER_SIZE),
          // In the kernel it makes a tunnel device, turns forwarding on and writes firewall rules, whose lock is a file in /run.
          securityContext: userspace ? UNPRIVILEGED : { privileged: true },
          volumeMounts: [RUN_FILES.mount],
        },
      ],
      volumes: [RUN_FILES.volume],
    },
  };
}
