// Mistakes in what goes together with a SPIRE server that is for all clouds, or above theirs.
import type { CloudDrafts, ConfigDraft } from "../draft";
import type { Problem } from "../problem";

/** Problems of `spire.topology`, and of what it leaves no place for. */
export function centralProblems(
  clouds: CloudDrafts,
  { spire, trust, network, observability }: ConfigDraft,
): Problem[] {
  const { topology, serverCloud } = spire ?? {};
  const names = clouds.map(([name]) => name);
  const at = (key: string) => ["spire", key];
  if (topology !== "central" && topology !== "nested") {
    const message = `is ${serverCloud}, but with spire.topology each every cloud has a server with none above it; remove it, or write spire.topology: central, or nested`;
    return topology === undefined || serverCloud === undefined ? [] : [{ path: at("serverCloud"), message }];
  }
  const mode: Problem[] =
    trust?.mode === "federated"
      ? [
          {
            path: ["trust", "mode"],
            message:
              topology === "central"
                ? "is federated, but with spire.topology central one server issues the identities of all clouds, which are of one trust domain; write single, or spire.topology: each"
                : "is federated, but with spire.topology nested one server signs the CAs of those of all clouds, which are of one trust domain; write single, or spire.topology: each",
          },
        ]
      : [];
  if (serverCloud === undefined) {
    if (spire !== undefined && "serverCloud" in spire) return mode;
    const message = `is missing, which spire.topology ${topology} needs; write one of ${names.join(", ")}`;
    return [...mode, { path: at("serverCloud"), message }];
  }
  if (names.length > 0 && !names.includes(serverCloud)) {
    const message = `is ${serverCloud}, which is no cloud of the mesh; write one of ${names.join(", ")}`;
    return [...mode, { path: at("serverCloud"), message }];
  }
  const { enabled, home = serverCloud } = observability ?? {};
  const others = clouds.filter(([name]) => name !== serverCloud);
  return [
    ...mode,
    ...(enabled !== false && home !== serverCloud
      ? [
          {
            path: ["observability", "home"],
            message: `is ${home}, but the API servers of the other clouds let in those of one cloud, and the SPIRE server ${topology === "central" ? "of all clouds" : "above theirs"} calls them from ${serverCloud}; remove it, or write spire.serverCloud: ${home}`,
          },
        ]
      : []),
    ...others.flatMap(([name, entry]): Problem[] => {
      const own =
        topology === "central" && "spire" in entry
          ? [
              {
                path: ["clouds", name, "spire"],
                message: `is of a SPIRE server, which with spire.topology central only ${serverCloud} has; remove it`,
              },
            ]
          : [];
      // Through tunnels the server is reached at the ranges of the other clouds' networks, which are known.
      const unknown =
        entry.provider === "existing" && !("egressCidrs" in entry) && network?.mode !== "vpn" && network?.mode
          ? [
              {
                path: ["clouds", name, "egressCidrs"],
                message: `is missing: the SPIRE server in ${serverCloud} lets in the other clouds' addresses alone; write the ranges of its pods' public addresses such as [198.51.100.7/32]`,
              },
            ]
          : [];
      return [...own, ...unknown];
    }),
  ];
}
