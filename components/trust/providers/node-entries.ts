// Provider of NodeEntries: a server knows the agents of a cluster's nodes before it has attested one of them.
import { setTimeout as sleep } from "node:timers/promises";
import { nodeAgentSpiffeId, nodeAliasSpiffeId } from "../../../spiffe/spiffe-id";
import { type Access, asked, coreApi } from "../../kubernetes/api";
import { ACCESS, changed, checker, type Provider, serverMoved } from "../../providers/properties";
import { type Connect, connectByExec, deletePatience, readPatience, unlessGone } from "../connect";
import { factsOf } from "../fault";
import { retry, together } from "../retry";
import type { ServerLocation } from "../server-location";
import type { SpireServer } from "../spire-cli";
import { contentOf, createOrAdopt } from "./registration-entry";

/** Inputs of NodeEntries as the engine hands them to the provider. All that it has to tell is in them. */
export interface NodeEntriesInputs {
  /** Of the same cluster as the nodes. */
  target: ServerLocation;
  kubeconfig: string;
  /** The cluster's name in k8s_psat attestation. */
  clusterName: string;
  timeoutSeconds: number;
}

/** After so many milliseconds a server knows what it was told, even if one reading failed: it reads its database every 5 s (SPIRE, pkg/server/endpoints/endpoints.go, defaultCacheReloadInterval). */
const KNOWN_MS = 11_000;

/** UIDs of the nodes of a cluster. */
async function nodesOf({ cloud, kubeconfig }: Access): Promise<string[]> {
  const { api } = await coreApi({ cloud, kubeconfig });
  const { items } = await asked(cloud, "list its nodes", () => api.listNode());
  return items.map(({ metadata }) => metadata!.uid!);
}

/** Ids of the entries that are there. */
async function entriesOf(
  { target: { trustDomain }, clusterName }: NodeEntriesInputs,
  server: SpireServer,
): Promise<string[]> {
  const alias = nodeAliasSpiffeId(trustDomain, clusterName);
  const agents = nodeAgentSpiffeId(trustDomain, clusterName, "");
  return (await server.entryList()).flatMap((entry) => {
    const { spiffeId, parentId } = contentOf(entry);
    return spiffeId === alias && parentId.startsWith(agents) ? [entry.id] : [];
  });
}

/** Makes the provider; `connect` reaches the servers, `nodes` asks for the UIDs of a cluster's nodes, and a server knows after `knownMs` what it was told. */
export function makeNodeEntriesProvider(
  connect: Connect,
  nodes: typeof nodesOf = nodesOf,
  knownMs = KNOWN_MS,
): Provider<NodeEntriesInputs, NodeEntriesInputs> {
  return {
    check: async (_olds, news) => {
      const { failures, ...must } = checker(news);
      must.server("target");
      must.kubeconfig("kubeconfig");
      must.must("clusterName", (name) => typeof name === "string" && name !== "", "must be a name");
      must.timeout("timeoutSeconds");
      return { inputs: news, failures };
    },

    diff: async (_id, olds, news) => {
      const replaces = [
        ...(serverMoved(olds.target, news.target) ? ["target"] : []),
        ...(changed(olds, news, "clusterName") ? ["clusterName"] : []),
      ];
      return {
        changes: replaces.length > 0 || ACCESS.some((name) => changed(olds, news, name)),
        replaces,
        deleteBeforeReplace: replaces.length > 0,
      };
    },

    create: async (inputs) => {
      const { target, kubeconfig, clusterName } = inputs;
      const patience = together({ limitMs: inputs.timeoutSeconds * 1000 });
      const server = connect(target, kubeconfig, patience);
      const uids = await retry("the Kubernetes API", patience, () =>
        nodes({ cloud: target.cloud, kubeconfig }),
      );
      for (const uid of uids)
        await createOrAdopt(
          {
            ...inputs,
            spiffeId: nodeAliasSpiffeId(target.trustDomain, clusterName),
            parentId: nodeAgentSpiffeId(target.trustDomain, clusterName, uid),
            // Of nodes: no workload has it.
            selectors: [`k8s_psat:cluster:${clusterName}`],
            federatesWith: [],
            x509SvidTtlSeconds: 0,
          },
          server,
        );
      await sleep(knownMs);
      return { id: `${target.trustDomain}/${clusterName}`, outs: inputs };
    },

    update: async (_id, _olds, news) => ({ outs: news }),

    read: async (id, state) => {
      if (!state) throw new Error("NodeEntries cannot be imported; let the program make them");
      try {
        const there = await entriesOf(state, connect(state.target, state.kubeconfig, readPatience));
        return { id: there.length > 0 ? id : "", props: state, inputs: state };
      } catch (error) {
        if (factsOf(error).serverGone) return { id: "", props: state };
        throw error;
      }
    },

    delete: (_id, state) => {
      const server = connect(state.target, state.kubeconfig, deletePatience);
      const forget = async () => {
        for (const id of await entriesOf(state, server)) await server.entryDelete(id);
      };
      return unlessGone(forget());
    },
  };
}

/** The provider that speaks through the Kubernetes API. */
export const nodeEntriesProvider = makeNodeEntriesProvider(connectByExec);
