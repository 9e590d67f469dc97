// What a configuration without mistakes still has to be told of.
import type { MeshConfig } from "./config";
import { type CapacityNote, capacityNotes } from "./config/capacity";

/** Notes on the clouds, in the order of their names. */
export function notesOf(config: MeshConfig): readonly CapacityNote[] {
  const { clouds, observability } = config;
  const entries = clouds.map((cloud) => [cloud.name, cloud] as const);
  return capacityNotes(entries, {
    ...config,
    clouds: Object.fromEntries(entries),
    observability: { enabled: observability !== undefined, ...observability },
  });
}
