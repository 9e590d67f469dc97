// Whether who calls the API servers of the other clouds is let in there: Prometheus, which finds their pods so in every mode, and a SPIRE server for all clouds.
import type { CloudDrafts } from "../draft";
import type { Problem } from "../problem";
import type { ApiCaller } from "./api-caller";
import { accessOf } from "./api-server-ranges";

/** Mistakes in who is let in to the API servers that the program makes. */
export function observabilityApiProblems(clouds: CloudDrafts, caller: ApiCaller | undefined): Problem[] {
  if (caller === undefined) return [];
  const { cloud: home, title, why, instead: never } = caller;
  const others = clouds.filter(([name]) => name !== home);
  const closed = others.filter(([, entry]) => accessOf(entry)?.endpoint === "private");
  const limited = others.filter(
    ([, entry]) => accessOf(entry)?.endpoint === "public" && accessOf(entry)?.ranges !== undefined,
  );
  return [
    ...closed.map(([name]) => {
      const instead = closed.length === 1 ? `${moved(caller)}: ${name}, ` : "";
      const message = `is private, where ${title} in ${home} does not get, ${why}; write public with ranges, ${instead}or ${never}`;
      return { path: ["clouds", name, "access", "endpoint"], message };
    }),
    ...clouds.flatMap(([name, entry]) => {
      if (name !== home || entry.provider !== "existing" || "egressCidrs" in entry || limited.length === 0)
        return [];
      const message = `is missing, which clouds.${limited[0]![0]}.access needs to let ${title} in; write the ranges of its pods' public addresses such as [198.51.100.7/32]`;
      return [{ path: ["clouds", name, "egressCidrs"], message }];
    }),
  ];
}

/** The setting that moves the caller to another cloud. */
const moved = ({ title }: ApiCaller) => (title === "Prometheus" ? "observability.home" : "spire.serverCloud");
