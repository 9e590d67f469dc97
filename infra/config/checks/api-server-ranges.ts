// Whether API servers take as many ranges as are to be let in, those of the mesh's own callers included.
import type { CloudDraft, CloudDrafts } from "../draft";
import type { Problem } from "../problem";
import type { ApiCaller } from "./api-caller";
import { specOf } from "../settle";

/** From where the API server of a cluster that the program makes is to be reached. */
export const accessOf = (entry: CloudDraft) => (entry.provider === "existing" ? undefined : entry.access);

/** Lists of ranges that are too long for the provider. */
export function apiServerRangeProblems(clouds: CloudDrafts, caller: ApiCaller | undefined): Problem[] {
  const home = caller?.cloud;
  const ofHome = clouds.flatMap(([name, entry]) => (name === home ? specOf(entry).egressCidrs(entry) : []));
  return clouds.flatMap(([name, entry]) => {
    const { endpoint, ranges } = accessOf(entry) ?? {};
    const most = endpoint && specOf(entry).mostRanges?.[endpoint];
    if (ranges === undefined || most === undefined) return [];
    const added =
      endpoint === "public" && name !== home ? ofHome.filter((cidr) => !ranges.includes(cidr!)) : [];
    if (ranges.length + added.length <= most) return [];
    const more = added.length === 0 ? "" : ` and gets ${added.length} of ${home} added`;
    const message = `is a list of ${ranges.length}${more}, more than the ${most} that its API server takes; write fewer, larger ranges`;
    return [{ path: ["clouds", name, "access", "ranges"], message }];
  });
}
