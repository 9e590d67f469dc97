// Workloads of one's own that get an identity of the mesh, in the configuration.
import { z } from "zod";
import { NAMESPACES } from "../../components/well-known";
import type { Draft } from "./clouds/spec";
import { cloudName, roleName, text } from "./fields";
import type { RolesByCloud } from "./policy";
import type { Problem } from "./problem";

/** A DNS label or subdomain (Kubernetes documentation, "Object Names and IDs"). */
const objectName = (instead: string) => text(/^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, instead);

/** Paths of the program's own identities (spiffe/spiffe-id.ts), and the one that SPIRE keeps to itself. */
const TAKEN_PATHS = [
  "spire",
  "node",
  "region",
  "operator",
  "observability",
  "oidc",
  "spire-server",
  "workload",
];

const workload = z.strictObject({
  cloud: cloudName.meta({ description: "Cloud in whose cluster it runs. Required." }),
  namespace: objectName("the name of a namespace such as billing").meta({
    description: "Namespace of its pods, none of the mesh's own. Required.",
    examples: ["billing"],
  }),
  serviceAccount: objectName("the name of a ServiceAccount such as billing")
    .default("default")
    .meta({ description: "ServiceAccount of its pods. Default: default." }),
  selectors: z
    .array(
      text(
        /^k8s:[a-z-]+:.+$/,
        "a selector of the Kubernetes workload attestor such as k8s:pod-label:app:billing",
      ),
    )
    .default([])
    .meta({
      description:
        "What its pods must have besides, as SPIRE's Kubernetes workload attestor says it. Default: nothing.",
      examples: [["k8s:pod-label:app:billing"]],
    }),
  path: text(/^(\/(?!\.{1,2}(\/|$))[a-zA-Z0-9._-]+)+$/, "the path of a SPIFFE id such as /billing/api")
    .optional()
    .meta({
      description:
        "Path of its SPIFFE id, in the trust domain of its cloud. Default: /workload/<cloud>/<name>.",
      examples: ["/billing/api"],
    }),
});

/** Workloads that are no agents, by name. */
export const workloads = z
  .record(roleName, workload)
  .default({})
  .meta({
    description:
      "Workloads of your own, in pods that the program does not make, which get an identity: they mount the Workload API by the CSI driver csi.spiffe.io, and may call the agents that policy.calls lists for <cloud>/<name>. Default: none.",
    examples: [{ billing: { cloud: "aws", namespace: "billing" } }],
  });

/** What cannot be of `workloads` as a whole. */
export function workloadProblems(
  workloads: Readonly<Record<string, Draft<z.output<typeof workload>> | undefined>>,
  roles: RolesByCloud,
): Problem[] {
  const own: readonly string[] = Object.values(NAMESPACES);
  const paths = new Map<string, string>();
  return Object.entries(workloads).flatMap(([name, workload]): Problem[] => {
    const { cloud, namespace, path } = workload ?? {};
    const at = (key: string, message: string) => ({ path: ["workloads", name, key], message });
    const first = path?.split("/")[1] ?? "";
    const other = paths.get(`${cloud}${path}`);
    if (path !== undefined) paths.set(`${cloud}${path}`, name);
    return [
      ...(cloud !== undefined && !roles.has(cloud)
        ? [
            at(
              "cloud",
              `is ${JSON.stringify(cloud)}, which is no cloud; write one of ${[...roles.keys()].join(", ")}`,
            ),
          ]
        : []),
      ...(cloud !== undefined && roles.get(cloud)?.includes(name)
        ? [
            {
              path: ["workloads", name],
              message: `has the name of a role of ${cloud}, and policies would mean either by ${cloud}/${name}; write another name`,
            },
          ]
        : []),
      ...(namespace !== undefined && own.includes(namespace)
        ? [at("namespace", `is ${namespace}, where the mesh's own pods are; write another namespace`)]
        : []),
      ...(other !== undefined ? [at("path", `is that of workload ${other} already; write another`)] : []),
      ...(TAKEN_PATHS.includes(first)
        ? [at("path", `begins with /${first}, under which other identities are; write another path`)]
        : []),
    ];
  });
}
