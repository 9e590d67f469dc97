// The pods of a plan, whatever makes them.
import type { Planned } from "./plan";

/** A container as far as plans look at it. */
export interface PlannedContainer {
  readonly name: string;
  readonly image: string;
  readonly securityContext?: {
    readonly privileged?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly runAsUser?: number;
    readonly capabilities?: { readonly add?: readonly string[] };
  };
}

/** What a workload's template says of its pods, as far as plans look at it. */
export interface PlannedPod {
  readonly resource: Planned;
  /** `<namespace>/<name>` of its workload. */
  readonly name: string;
  /** Init containers first. */
  readonly containers: readonly PlannedContainer[];
  readonly spec: {
    readonly hostPID?: boolean;
    readonly hostNetwork?: boolean;
    readonly hostIPC?: boolean;
    readonly securityContext?: { readonly runAsUser?: number };
    readonly volumes?: readonly {
      readonly hostPath?: { readonly path: string };
      readonly image?: { readonly reference: string };
    }[];
  };
}

/** All of them, in the order of the plan. */
export function podsOf(resources: readonly Planned[]): readonly PlannedPod[] {
  return resources.flatMap((resource) => {
    const { metadata, spec } = resource.inputs;
    const pod = spec?.template?.spec ?? spec?.jobTemplate?.spec?.template?.spec ?? spec;
    if (!resource.type.startsWith("kubernetes:") || !Array.isArray(pod?.containers)) return [];
    const containers = [...(pod.initContainers ?? []), ...pod.containers];
    return [{ resource, name: `${metadata.namespace}/${metadata.name}`, containers, spec: pod }];
  });
}
