// A cluster for tests of what handles traces, and how their pods are looked at.
import { load } from "js-yaml";
import type { TracesSettings } from "../../../components/observability/settings";
import { awsCluster } from "../../support/cluster";
import type { Recording } from "../../../infra/plan/recorder";
import { restrictedViolations } from "../spire/pod-security";

/* eslint-disable @typescript-eslint/no-explicit-any -- Pods as they were registered have no type. */

export const STATEFUL_SET = "kubernetes:apps/v1:StatefulSet";
export const SERVICE = "kubernetes:core/v1:Service";
export const CONFIG_MAP = "kubernetes:core/v1:ConfigMap";
export const ACCOUNT = "kubernetes:core/v1:ServiceAccount";
export const BUDGET = "kubernetes:policy/v1:PodDisruptionBudget";

export const SETTINGS: TracesSettings = {
  sampling: { mode: "head", percent: 100, slowerThanMs: 1000 },
  retention: "72h",
  storageSize: "20Gi",
  replicas: 2,
};

/** To be made within a run of a program. */
export const exposedCluster = () =>
  awsCluster({
    storageClassName: "fast",
    loadBalancerAnnotations: { balancer: "public" },
    internalLoadBalancerAnnotations: { balancer: "internal" },
  });

/** Both containers of a pod that speak, by name. */
export function containers(spec: any): Record<string, any> {
  return Object.fromEntries([...spec.initContainers, ...spec.containers].map((c: any) => [c.name, c]));
}

/** What keeps any of a pod's containers, sidecars too, from being `restricted`. */
export const violations = (spec: any): string[] =>
  restrictedViolations({ ...spec, containers: Object.values(containers(spec)) });

/** Values of an option among a container's arguments. */
export function option(container: any, name: string): string[] {
  const args = container.args as string[];
  return args.flatMap((argument, i) => (argument === name ? [args[i + 1]!] : []));
}

/** What a pod reads or writes at a path, by the volume's source. */
export function mounted(spec: any, container: any, path: string): any {
  const inside = (mount: any) => path === mount.mountPath || path.startsWith(`${mount.mountPath}/`);
  const mount = container.volumeMounts.find(inside);
  return mount && (spec.volumes.find(({ name }: any) => name === mount.name) ?? mount.name);
}

/** Whether each name that the pod mounts is that of a volume or claim of it. */
export function unknownVolumes(spec: any, claims: readonly string[] = []): string[] {
  const known = [...claims, ...spec.volumes.map(({ name }: any) => name as string)];
  const used = Object.values(containers(spec)).flatMap((c) =>
    c.volumeMounts.map(({ name }: any) => name as string),
  );
  return used.filter((name) => !known.includes(name));
}

/** What the relay in the one pod that was made has of its own. */
export const relayIn = (made: Recording): any =>
  (load(made.one(CONFIG_MAP).inputs.data["envoy.yaml"]) as any).static_resources;

/** The one of these listeners or clusters. */
export const named = (all: any[], name: string): any => all.find((one) => one.name === name);

/** `host:port` of Envoy's form of an address. */
export const socketOf = ({ socket_address: { address, port_value } }: any): string =>
  `${address}:${port_value}`;
