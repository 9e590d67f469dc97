// Who calls the API servers of the other clouds from one cloud of the mesh.
import type { Draft } from "../clouds/spec";
import type { CloudDrafts, ConfigDraft } from "../draft";
import type { ObservabilityEntry } from "../observability";

/** A caller, for messages. */
export interface ApiCaller {
  /** The cloud that it calls from. */
  readonly cloud: string | undefined;
  readonly title: string;
  /** What it does at the API servers. */
  readonly why: string;
  /** What to write, so that nobody calls. */
  readonly instead: string;
}

/** The cloud whose SPIRE server is that of all clouds, or above theirs, as far as it is written. */
export const serverCloudOf = ({ spire }: Pick<ConfigDraft, "spire">): string | undefined =>
  spire?.topology === "central" || spire?.topology === "nested" ? spire.serverCloud : undefined;

/** The caller: a SPIRE server that attests in all clouds, with which all of observability is, else Prometheus. Undefined where there is none. */
export function apiCallerOf(
  clouds: CloudDrafts,
  { enabled, home = clouds[0]?.[0] }: Draft<ObservabilityEntry>,
  serverCloud: string | undefined,
): ApiCaller | undefined {
  if (serverCloud !== undefined)
    return {
      cloud: serverCloud,
      title: "the SPIRE server",
      why: "which reviews tokens by this API server",
      instead: "spire.topology: each",
    };
  if (enabled === false) return undefined;
  return {
    cloud: home,
    title: "Prometheus",
    why: "which finds the pods by this API server",
    instead: "observability.enabled: false",
  };
}
