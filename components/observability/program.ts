// The programs of this repository that show the mesh, as containers: the one place that says how they are brought along and watched.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { heapOption, nodeCommand, type NodeProgram, programVolume } from "../kubernetes/node-program";
import { METRICS_PORT_NAMES } from "../well-known";
import { OBSERVABILITY_SIZES } from "./sizes";

/** The ConfigMap with them, one in namespace `observability` of each cluster. */
export const TELEMETRY_PROGRAM: NodeProgram = {
  program: "telemetry",
  configMap: "telemetry",
  key: "telemetry.js.gz",
  mountPath: "/opt/agentweave",
};

/** User and group of these programs. */
export const PROGRAM_UID = 65532;

/** Volumes of every pod with such a container. */
export const PROGRAM_VOLUMES: readonly k8s.types.input.core.v1.Volume[] = [
  programVolume(TELEMETRY_PROGRAM).volume,
  { name: "tmp", emptyDir: { sizeLimit: "16Mi" } },
];

/** What `programContainer` needs. */
export interface ProgramContainerArgs {
  readonly name: string;
  /** The stock Node image. */
  readonly image: string;
  /** Arguments of the bundle: the program's name, then its own. */
  readonly args: readonly string[];
  /** Port of `/live`, `/ready` and `/metrics`. */
  readonly statusPort: number;
  readonly mounts?: readonly k8s.types.input.core.v1.VolumeMount[];
  readonly size?: ContainerSize;
}

/** A container that runs one of the programs. */
export function programContainer(args: ProgramContainerArgs): k8s.types.input.core.v1.Container {
  const probe = (path: string) => ({ httpGet: { path, port: args.statusPort } });
  return {
    name: args.name,
    image: args.image,
    command: nodeCommand(TELEMETRY_PROGRAM),
    args: [...args.args],
    env: [{ name: "NODE_OPTIONS", value: heapOption(args.size, OBSERVABILITY_SIZES.program) }],
    ports: [{ name: METRICS_PORT_NAMES.main, containerPort: args.statusPort }],
    startupProbe: { ...probe("/live"), periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 60 },
    livenessProbe: { ...probe("/live"), periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { ...probe("/ready"), periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    resources: containerResources(args.size, OBSERVABILITY_SIZES.program),
    securityContext: UNPRIVILEGED,
    volumeMounts: [
      programVolume(TELEMETRY_PROGRAM).mount,
      { name: "tmp", mountPath: "/tmp" },
      ...(args.mounts ?? []),
    ],
  };
}
