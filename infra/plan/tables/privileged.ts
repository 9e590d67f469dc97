// Which pods of a plan may do more on their node than others.
import { type PlannedPod, podsOf } from "../pods";
import type { Plan } from "../plan";
import { byClouds, sorted, type Table } from "../table";

/** What a pod has that the standard `restricted` of Kubernetes refuses (https://kubernetes.io/docs/concepts/security/pod-security-standards/). */
function rightsOf({ spec, containers }: PlannedPod): string[] {
  const ofPod = (["hostPID", "hostNetwork", "hostIPC"] as const).filter((key) => spec[key]);
  const paths = (spec.volumes ?? []).flatMap(({ hostPath }) => (hostPath ? [hostPath.path] : []));
  const ofContainers = containers.flatMap(({ name, securityContext = {} }) => {
    const { privileged, runAsUser = spec.securityContext?.runAsUser, capabilities } = securityContext;
    return [
      ...(privileged ? [`privileged (${name})`] : []),
      ...(runAsUser === 0 ? [`root (${name})`] : []),
      ...(capabilities?.add ?? []).map((capability) => `${capability} (${name})`),
    ];
  });
  return [
    ...ofPod,
    ...ofContainers,
    ...(paths.length > 0 ? [`paths of the node: ${paths.sort().join(", ")}`] : []),
  ];
}

/** Workloads whose pods have more than the standard `restricted` allows. */
export const privilegedTable = ({ resources, clouds }: Plan): Table => ({
  key: "privileged",
  title: "What is privileged",
  head: ["workload", "what its pods have", "clouds"],
  lists: true,
  rows: sorted(
    byClouds(
      podsOf(resources).flatMap((pod) => {
        const rights = rightsOf(pod);
        return rights.length === 0 ? [] : [[pod.resource.cloud, pod.name, rights.join("; ")] as const];
      }),
      clouds,
    ),
  ),
  none: "no pod",
});
