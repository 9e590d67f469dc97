// How pods of one workload are kept apart.
import { selector } from "./metadata";

/** The label that tells pods of a new version from those of the one before: of a Deployment's, or of a StatefulSet's. */
type RevisionLabel = "pod-template-hash" | "controller-revision-hash";

/**
 * Spreads the pods of `name` over what `topologyKey` tells apart, those of each version among themselves. A preference: a cluster may have one node or zone only.
 */
export const spreadOver = (topologyKey: string, name: string, ...matchLabelKeys: RevisionLabel[]) => ({
  maxSkew: 1,
  topologyKey,
  whenUnsatisfiable: "ScheduleAnyway",
  labelSelector: { matchLabels: selector(name) },
  matchLabelKeys,
});
