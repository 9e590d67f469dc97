// Rules about pods: what they may do on their node, and which images they run.
import { type ImageKey, PINNED } from "../../../components/images";
import { CSI_DRIVER_NAME } from "../../../components/spire/csi-driver-pod";
import { NAMESPACES, SPIRE_AGENT, TAILNET } from "../../../components/well-known";
import type { Resource } from "../resource";
import type { Rule } from "../rule";

interface Container {
  readonly name: string;
  readonly image?: string;
  readonly securityContext?: {
    readonly privileged?: boolean;
    readonly capabilities?: { readonly add?: string[] };
  };
}

interface PodSpec {
  readonly hostPID?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostIPC?: boolean;
  readonly volumes?: readonly { readonly hostPath?: object }[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

/** The pods that an object of Kubernetes makes, if any. */
function podOf({ type, inputs }: Resource): PodSpec | undefined {
  const [, kind] = /^kubernetes:(?:core|apps|batch)\/v1:(\w+)$/.exec(type) ?? [];
  switch (kind) {
    case "Pod":
      return inputs.spec;
    case "DaemonSet":
    case "Deployment":
    case "Job":
    case "ReplicaSet":
    case "StatefulSet":
      return inputs.spec.template.spec;
    case "CronJob":
      return inputs.spec.jobTemplate.spec.template.spec;
    default:
      return undefined;
  }
}

const containersOf = ({ initContainers = [], containers }: PodSpec) => [...initContainers, ...containers];

/** Rights over the node, by the names of the fields that give them. */
function* rightsOf(pod: PodSpec): Generator<string> {
  for (const field of ["hostPID", "hostNetwork", "hostIPC"] as const) if (pod[field]) yield field;
  if (pod.volumes?.some(({ hostPath }) => hostPath)) yield "hostPath";
  for (const { securityContext: { privileged, capabilities } = {} } of containersOf(pod)) {
    if (privileged) yield "privileged";
    yield* capabilities?.add ?? [];
  }
}

/** Pods that need rights over their node, by `<namespace>/<name>`, and which. */
const KNOWN_RIGHTS: Readonly<Record<string, readonly string[]>> = {
  /** Knows a workload by its process, and gives it its socket by a directory of the node. */
  [`${NAMESPACES.spireSystem}/${SPIRE_AGENT.name}`]: ["hostPID", "hostPath"],
  /** Mounts that directory into pods. */
  [`${NAMESPACES.spireSystem}/${CSI_DRIVER_NAME}`]: ["hostPath", "privileged"],
  /** With a cloud's `subnetRouter: kernel`: makes a tunnel device and rules of the firewall. */
  [`${NAMESPACES.tailscale}/${TAILNET.router}`]: ["privileged"],
};

/** Pods with rights over their node that they are not known to need. */
export const privilegedPods: Rule = function* (resource) {
  const pod = podOf(resource);
  if (pod === undefined) return;
  const { name, namespace } = resource.inputs.metadata;
  const known = KNOWN_RIGHTS[`${namespace}/${name}`] ?? [];
  for (const right of new Set(rightsOf(pod))) {
    if (!known.includes(right)) yield `has ${right} in ${namespace}/${name}, which is not known to need it`;
  }
};

/**
 * Images of the program whose digest is not known for sure, neither from the publisher nor from two owners of public
 * files who do not know each other (`components/images.ts`). An image leaves this list when it gets its digest there.
 */
export const WITHOUT_DIGEST: readonly ImageKey[] = [
  "spireServer",
  "spireAgent",
  "oidcDiscoveryProvider",
  "spireControllerManager",
  "spiffeCsiDriver",
  "csiNodeDriverRegistrar",
  "csiLivenessProbe",
  "opa",
  "envoy",
  "prometheus",
  "otelCollector",
  "jaeger",
];

/** The part of a reference that a mirror keeps: all but the registry, with its path. */
const repository = (reference: string) => reference.slice(reference.indexOf("/"));

/** Images that a registry could exchange under their tag. */
export const imageDigests: Rule = function* (resource) {
  const pod = podOf(resource);
  for (const { name, image = "" } of pod ? containersOf(pod) : []) {
    const isKnown = WITHOUT_DIGEST.some((key) => image.endsWith(repository(PINNED[key].reference)));
    if (!isKnown && !/@sha256:[0-9a-f]{64}$/.test(image))
      yield `runs ${image} in container ${name} by no digest`;
  }
};
