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
  cloud: cloudName.meta({
    description: "Cloud in whose cluster it runs, or to whose SPIRE server its machine attests. Required.",
  }),
  namespace: objectName("the name of a namespace such as billing")
    .optional()
    .meta({
      description: "Namespace of its pods, none of the mesh's own. Required, but for one with node.",
      examples: ["billing"],
    }),
  serviceAccount: objectName("the name of a ServiceAccount such as billing")
    .optional()
    .meta({ description: "ServiceAccount of its pods. Default: default." }),
  node: z
    .array(
      text(
        /^(x509pop|tpm_devid|aws_iid|gcp_iit|azure_imds):\S.*$/,
        "a selector of SPIRE's node attestors such as x509pop:subject:cn:build-7",
      ),
    )
    .min(1)
    .optional()
    .meta({
      description:
        "What its machine outside of Kubernetes must have, all of it, as the node attestor says it by which the machine attests (clouds.<name>.spire.nodeAttestors). Default: it is in pods.",
      examples: [["x509pop:subject:cn:build-7"]],
    }),
  selectors: z
    .array(text(/^[a-z0-9]+:\S.*$/, "a selector such as k8s:pod-label:app:billing or unix:user:billing"))
    .default([])
    .meta({
      description:
        "What its pods must have besides, as SPIRE's Kubernetes workload attestor says it; with node, what its processes must have, as the workload attestor of that machine's SPIRE agent says it, and required. Default: nothing.",
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
      "Workloads of your own, in pods that the program does not make or on machines outside of Kubernetes, which get an identity: pods mount the Workload API by the CSI driver csi.spiffe.io. They may call the agents that policy.calls lists for <cloud>/<name>. Default: none.",
    examples: [{ billing: { cloud: "aws", namespace: "billing" } }],
  });

/** Which node attestors each cloud's machines have; undefined where that cannot be told. */
export type NodeAttestorsOf = (
  cloud: string,
) => { readonly at: string; readonly types: readonly string[] } | undefined;

type WorkloadDraft = Draft<z.output<typeof workload>>;

/** What cannot be of `workloads` as a whole. */
export function workloadProblems(
  workloads: Readonly<Record<string, WorkloadDraft | undefined>>,
  roles: RolesByCloud,
  attestors: NodeAttestorsOf,
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
      ...(workload === undefined
        ? []
        : ("node" in workload ? machineProblems(workload, attestors) : podProblems(workload)).map(
            ({ path, message }) => ({ path: ["workloads", name, ...path], message }),
          )),
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

const problem = (message: string, ...path: (string | number)[]): Problem => ({ path, message });

/** Of a workload in pods, with paths from its entry. */
function podProblems(workload: WorkloadDraft): Problem[] {
  const missing =
    "is missing; write the namespace of its pods, or node: the selectors of its machine outside of Kubernetes";
  return [
    ...("namespace" in workload ? [] : [problem(missing, "namespace")]),
    ...(workload.selectors ?? []).flatMap((selector, index) => {
      // What could not be used has left a hole.
      if (selector === undefined || /^k8s:[a-z-]+:.+$/.test(selector)) return [];
      const message = `is ${JSON.stringify(selector)}; write a selector of the Kubernetes workload attestor such as k8s:pod-label:app:billing`;
      return [problem(message, "selectors", index)];
    }),
  ];
}

/** Of a workload on a machine, with paths from its entry. */
function machineProblems(workload: WorkloadDraft, attestors: NodeAttestorsOf): Problem[] {
  const { cloud, node = [], selectors } = workload;
  const written = node.filter((selector) => selector !== undefined);
  const [type, other] = new Set(written.map((selector) => selector.split(":")[0]!));
  const known = cloud === undefined ? undefined : attestors(cloud);
  return [
    ...(["namespace", "serviceAccount"] as const)
      .filter((key) => workload[key] !== undefined)
      .map((key) => problem("is of pods, and node of a machine outside of Kubernetes; remove either", key)),
    ...(type !== undefined && other !== undefined
      ? [
          problem(
            `has selectors of ${type} and ${other}, but a machine attests by one node attestor, and must have all of them; write those of one`,
            "node",
          ),
        ]
      : []),
    ...(known !== undefined && type !== undefined && other === undefined && !known.types.includes(type)
      ? [problem(`is of ${type}, by which no machine attests there; write ${known.at}.${type}`, "node")]
      : []),
    ...(selectors?.length === 0
      ? [
          problem(
            "is missing, which tells the workload from all else on the machine; write what its SPIRE agent attests, such as [unix:user:billing]",
            "selectors",
          ),
        ]
      : []),
    ...(selectors ?? []).flatMap((selector, index) => {
      if (selector === undefined || !selector.startsWith("k8s:")) return [];
      const message = `is ${JSON.stringify(selector)}, which no process outside of Kubernetes has; write a selector such as unix:user:billing`;
      return [problem(message, "selectors", index)];
    }),
  ];
}
