// A cloud of the mesh as checks and calls need it: its cluster, its SPIRE server, and the operator's identity there.
import type { Identity } from "../spiffe/source";
import type { SpireServer } from "../components/trust/spire-cli";
import type { Cluster, Connect } from "./cluster";
import type { MeshCloud } from "./mesh-outputs";
import { mintOperator } from "./operator";
import { serverOf } from "./spire";

export interface Member {
  readonly cloud: MeshCloud;
  readonly cluster: Cluster;
  readonly server: SpireServer;
  /** Minted at the first call; all later ones get the same. A failure is not kept. */
  readonly operator: () => Promise<Identity>;
}

/** The cloud as a member; nothing is connected to before it is used. Commands on its SPIRE server end after `limitMs` milliseconds. */
export function memberOf(cloud: MeshCloud, connect: Connect, limitMs: number): Member {
  const cluster = connect(cloud);
  const { serverCloud = cloud } = cloud;
  const serverCluster = serverCloud === cloud ? cluster : connect(serverCloud);
  let minting: Promise<Identity> | undefined;
  return {
    cloud,
    cluster,
    server: serverOf(serverCloud, serverCluster, limitMs),
    operator: () => {
      minting ??= mintOperator(serverCloud, serverCluster, limitMs).catch((error: unknown) => {
        minting = undefined;
        throw error;
      });
      return minting;
    },
  };
}
