// The SPIRE server of one cloud as that of another knows it, which signs its CA (`spire.topology: nested`).
import * as pulumi from "@pulumi/pulumi";
import { downstreamSpiffeId, serverSpiffeId, upstreamAgentSpiffeId } from "../../spiffe/spiffe-id";
import { RegistrationEntry } from "../trust/resources";
import type { AttestedCluster } from "./attested-cluster";
import type { SpireNamespaces } from "./namespaces";
import type { SpireServer } from "./server";
import { SERVER_UID } from "./server-pod";

/** What `DownstreamServer` needs. */
export interface DownstreamServerArgs {
  /** The server's cluster, in which the one above attests the agent beside it. */
  readonly attested: AttestedCluster;
  /** The server above. */
  readonly above: SpireServer;
}

/**
 * Registers a server at the one above, before it is there: its pods have no CA without. First the agents in its pods under one name, wherever these are, then the
 * server as what asks such an agent. An entry is all that it needs: whoever else in the pod would ask runs as another user.
 */
export class DownstreamServer extends pulumi.ComponentResource {
  readonly above: SpireServer;
  readonly namespaces: SpireNamespaces;
  /** What the server depends on. */
  readonly ready: readonly pulumi.Resource[];

  constructor(
    name: string,
    { attested, above }: DownstreamServerArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("agentweave:spire:DownstreamServer", name, {}, opts);
    this.above = above;
    this.namespaces = attested.namespaces;
    const { target } = above;
    const { trustDomain } = target;
    const agents = upstreamAgentSpiffeId(trustDomain, attested.cloud);
    this.ready = [
      ...attested.ready,
      new RegistrationEntry(
        `${name}-agent`,
        {
          target,
          spiffeId: agents,
          parentId: serverSpiffeId(trustDomain),
          selectors: [`k8s_psat:cluster:${attested.clusterName}`],
        },
        { parent: this, dependsOn: [...above.ready] },
      ),
      new RegistrationEntry(
        `${name}-server`,
        {
          target,
          spiffeId: downstreamSpiffeId(trustDomain, attested.cloud),
          parentId: agents,
          selectors: [`unix:uid:${SERVER_UID}`],
          downstream: true,
        },
        { parent: this, dependsOn: [...above.ready] },
      ),
    ];
    this.registerOutputs({});
  }
}
