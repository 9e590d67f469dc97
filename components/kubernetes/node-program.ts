// Programs of this repository that run in the stock Node image: brought along in a ConfigMap, started by a loader.
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labels } from "./metadata";
import type { ContainerSize } from "./container";
import { GeneratedConfigMap, type GeneratedConfigMapArgs } from "./generated-config-map";
import type { ProgramName } from "./node-bundle";
import { LOADER } from "./node-loader";
import { quantityValue } from "./quantity";

/** The ConfigMap with a program, one in each namespace that runs it. */
export interface NodeProgram {
  readonly program: ProgramName;
  readonly configMap: string;
  readonly key: string;
  readonly mountPath: string;
}

/** Part of the memory limit that JavaScript's heap may take; buffers, code and TLS need the rest. */
const HEAP_SHARE = 0.75;

/** Option that keeps V8's heap within the memory limit, so that it collects garbage before the kernel ends the process. */
export function heapOption(size: ContainerSize | undefined, fallback: Required<ContainerSize>): string {
  const bytes = quantityValue(size?.memory ?? fallback.memory);
  return `--max-old-space-size=${Math.max(1, Math.floor((bytes * HEAP_SHARE) / 2 ** 20))}`;
}

/** Command that starts the program; the container's `args` are the program's own. */
export function nodeCommand({ mountPath, key }: NodeProgram): string[] {
  return ["/usr/local/bin/node", "-e", LOADER, `${mountPath}/${key}`];
}

/** The ConfigMap that brings a program into a namespace of a cluster. `component` is its label. */
export function programConfigMap(
  name: string,
  { program, configMap, key }: NodeProgram,
  place: Pick<GeneratedConfigMapArgs, "cluster" | "namespace" | "within"> & { readonly component: string },
  opts: pulumi.CustomResourceOptions,
): GeneratedConfigMap {
  const { component, ...where } = place;
  return new GeneratedConfigMap(
    name,
    {
      ...where,
      configMap,
      labels: labels(configMap, component),
      recipe: { name: "program", args: { program, key } },
    },
    opts,
  );
}

/** The volume with the program, and how containers mount it. */
export function programVolume({ configMap, mountPath }: NodeProgram): {
  readonly volume: k8s.types.input.core.v1.Volume;
  readonly mount: k8s.types.input.core.v1.VolumeMount;
} {
  const name = "program";
  return {
    volume: { name, configMap: { name: configMap } },
    mount: { name, mountPath, readOnly: true },
  };
}
