// Whether Prometheus, in the home cloud, is let in to the API servers of the others, by which it finds their pods in every mode.
import type { CloudDrafts } from "../draft";
import type { Draft } from "../clouds/spec";
import type { ObservabilityEntry } from "../observability";
import type { Problem } from "../problem";
import { accessOf } from "./api-server-ranges";

/** Mistakes in who is let in to the API servers that the program makes. */
export function observabilityApiProblems(
  clouds: CloudDrafts,
  { enabled, home = clouds[0]?.[0] }: Draft<ObservabilityEntry>,
): Problem[] {
  if (enabled === false) return [];
  const others = clouds.filter(([name]) => name !== home);
  const closed = others.filter(([, entry]) => accessOf(entry)?.endpoint === "private");
  const limited = others.filter(
    ([, entry]) => accessOf(entry)?.endpoint === "public" && accessOf(entry)?.ranges !== undefined,
  );
  return [
    ...closed.map(([name]) => {
      const instead = closed.length === 1 ? `observability.home: ${name}, ` : "";
      const message = `is private, where Prometheus in ${home} does not get, which finds the pods by this API server; write public with ranges, ${instead}or observability.enabled: false`;
      return { path: ["clouds", name, "access", "endpoint"], message };
    }),
    ...clouds.flatMap(([name, entry]) => {
      if (name !== home || entry.provider !== "existing" || "egressCidrs" in entry || limited.length === 0)
        return [];
      const message = `is missing, which clouds.${limited[0]![0]}.access needs to let Prometheus in; write the ranges of its pods' public addresses such as [198.51.100.7/32]`;
      return [{ path: ["clouds", name, "egressCidrs"], message }];
    }),
  ];
}
