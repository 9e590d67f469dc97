// A mesh of processes as the command line finds it: the stack's outputs, and clusters without Kubernetes.
import { connect } from "node:net";
import type { Cluster, Connect } from "../../../cli/cluster";
import type { Mesh } from "../../../cli/mesh-outputs";
import { serverCommand } from "../../../cli/spire";
import type { EnvoyMesh } from "./mesh";

/** The mesh with all of its agents. */
export const outputsOf = (mesh: EnvoyMesh): Mesh => ({
  clouds: mesh.args.members.map(({ cloud, region, trustDomain, roles }) => ({
    ...{ name: cloud, region, trustDomain, context: cloud, kubeconfig: "{}" },
    bundleEndpoint: mesh.servers.get(cloud)!.bundleEndpointUrl,
    agents: roles.map((role) => ({
      ...{ cloud, role, spiffeId: mesh.idOf({ cloud, role }), address: "", protocol: "agentweave" as const },
      ...{ namespace: "agentweave", service: role, workload: { kind: "Deployment" as const, name: role } },
    })),
  })),
});

/** A cloud's SPIRE server is a process here, and so is the Envoy of each agent, which stands for its pod. */
export const clustersOf =
  (mesh: EnvoyMesh): Connect =>
  ({ name }) =>
    ({
      version: async () => "v1",
      exec: (_place, command) => {
        const args = command.slice(1, command.length - serverCommand([]).length + 1);
        return mesh.servers.get(name)!.run(args);
      },
      pods: async (_namespace, labels) => [
        { name: labels["app.kubernetes.io/name"]!, ready: true, containers: [] },
      ],
      workload: async () => ({ ready: 1, desired: 1 }),
      portForward: async (_namespace, pod) =>
        connect(mesh.agent(`${name}-${pod}`).ports.inbound, "127.0.0.1"),
    }) satisfies Cluster;
