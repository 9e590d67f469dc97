// What a configuration without mistakes still has to be told of.
import type { MeshConfig } from "./config";
import { type CapacityNote, capacityNotes } from "./config/capacity";
import { specOf } from "./config/settle";

/** Notes on the room that the clouds' nodes have, in the order of their names. */
export function capacityOf(config: MeshConfig): readonly CapacityNote[] {
  const { clouds, observability } = config;
  const entries = clouds.map((cloud) => [cloud.name, cloud] as const);
  return capacityNotes(entries, {
    ...config,
    clouds: Object.fromEntries(entries),
    observability: { enabled: observability !== undefined, ...observability },
  });
}

/** Until when the clouds' Kubernetes versions are supported, for those clouds whose configuration names one. */
export function supportOf({ clouds }: MeshConfig): readonly Pick<CapacityNote, "cloud" | "text">[] {
  return clouds.flatMap((cloud) => {
    const { support } = specOf(cloud);
    if (support === undefined || !("kubernetesVersion" in cloud)) return [];
    const version = cloud.kubernetesVersion ?? "";
    const { what, until, source } = support;
    const end = until[version];
    const told =
      end === undefined ? `the end of ${what} is not known here, see ${source}` : `${what} ends ${end}`;
    return [{ cloud: cloud.name, text: `Kubernetes ${version}: ${told}` }];
  });
}
