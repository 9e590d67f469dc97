// Why existing clusters cannot take the mesh: what they have already under names that it needs, and what they are. Mistakes before the first resource, at the preview too.
import * as pulumi from "@pulumi/pulumi";
import { readKubeconfigOf } from "../components/clouds/kubeconfig-source";
import {
  type Foreign,
  foreignObjects,
  STACK_ANNOTATION,
  stackName,
} from "../components/kubernetes/ownership";
import { isOpenShift } from "../components/kubernetes/openshift";
import { CONTROLLER_MANAGER, CSI_DRIVER, NAMESPACES } from "../components/well-known";
import type { CloudConfigOf, MeshConfig } from "./config";
import { ConfigError, type Problem } from "./config/problem";

/** The namespaces that a mesh of this configuration has in the cluster of a cloud. */
function namespacesOf(
  { network, observability }: MeshConfig,
  { spire }: CloudConfigOf<"existing">,
): string[] {
  const { tailscale, observability: shown, oidc, ...always } = NAMESPACES;
  return [
    ...Object.values(always),
    ...(network.mode === "tailscale" ? [tailscale] : []),
    ...(observability === undefined ? [] : [shown]),
    ...(spire?.oidc === undefined ? [] : [oidc]),
  ];
}

function problemOf(cloud: string, { kind, name, stack }: Foreign, own: string): Problem {
  const what = `has ${kind} ${name} in its cluster`;
  const why =
    "which this stack did not make: it would be taken over, and a destroy would delete it with all that it holds";
  const renamed = `kubectl annotate --overwrite ${kind} ${name} ${STACK_ANNOTATION}=${own}`;
  return {
    path: ["clouds", cloud],
    message:
      stack === undefined
        ? `${what}, ${why}; remove it there, or write the kubeconfig of another cluster`
        : `${what} of stack ${stack}, ${why}; destroy that stack, or write the kubeconfig of another cluster. If it is this stack under its former name: ${renamed}`,
  };
}

/**
 * OpenShift's `restricted-v2` has pods run as users of its namespace's own range, while those of the mesh name their users; its nodes' SELinux keeps pods from the Workload
 * API's socket until that is labelled for them; its DNS is at port 5353 behind its Service. None of that was ever tried.
 */
const openShift = (cloud: string): Problem => ({
  path: ["clouds", cloud],
  message:
    "is OpenShift, which the mesh does not support: its SecurityContextConstraints and SELinux refuse the mesh's pods, and the network policies know no DNS at port 5353; write the kubeconfig of another cluster",
});

/**
 * Looks into the existing clusters for what a mesh of this configuration would take over, and for OpenShift. One that cannot be asked is told in a warning: whether it
 * can be used, the update finds out.
 *
 * @throws ConfigError with all that it found.
 */
export async function refuseConflicts(config: MeshConfig): Promise<void> {
  const existing = config.clouds.filter(
    (cloud): cloud is CloudConfigOf<"existing"> => cloud.provider === "existing",
  );
  const own = stackName();
  const problems = await Promise.all(
    existing.map(async (entry) => {
      const { name: cloud, kubeconfig, context } = entry;
      const names = {
        namespaces: namespacesOf(config, entry),
        csiDriver: CSI_DRIVER,
        definitions: entry.spire?.controllerManager ? [CONTROLLER_MANAGER.definition] : [],
      };
      const warn = (error: unknown) =>
        pulumi.log.warn(
          `${(error as Error).message} Whether it can take the mesh, or has objects of others under the mesh's names, is not known.`,
        );
      try {
        const access = { cloud, kubeconfig: readKubeconfigOf(kubeconfig, context) };
        if (await isOpenShift(access)) return [openShift(cloud)];
        const { foreign, unknown } = await foreignObjects(access, own, names);
        if (unknown.length > 0) await warn(unknown[0]);
        return foreign.map((each) => problemOf(cloud, each, own));
      } catch (error) {
        await warn(error);
        return [];
      }
    }),
  );
  if (problems.flat().length > 0) throw new ConfigError(pulumi.getStack(), problems.flat());
}
