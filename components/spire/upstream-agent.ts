// The SPIRE agent of the server above, in the pod of a server whose CA that one signs: by it alone that server is known there.
import type * as k8s from "@pulumi/kubernetes";
import { containerResources, type ContainerSize, UNPRIVILEGED } from "../kubernetes/container";
import { SPIRE_AGENT } from "../well-known";
import { AGENT_TOKEN_VOLUME } from "./agent-pod";
import { ATTESTED } from "./attested";
import { AGENT_PATHS, SERVER_PATHS } from "./paths";
import { DEFAULT_SIZES } from "./sizes";
import { UPSTREAM_VOLUME } from "./upstream-authority";

/** Key of the server's ConfigMap with the agent's configuration. */
export const UPSTREAM_AGENT_CONF = "upstream-agent.conf";

/** User of the agent: not that of the server, nor of the controller manager, so that none reads another's memory, and the server is told from it. */
const UPSTREAM_AGENT_UID = 1002;

/** What `upstreamAgent` needs. */
export interface UpstreamAgentArgs {
  readonly image: string;
  readonly size?: ContainerSize;
  /** The server's ConfigMap. */
  readonly configMap: string;
}

/**
 * The container, and the part of the pod that it needs. The two containers see each other's processes, by which the agent knows who asks it (`unix:uid`). It has no
 * probe: while the server above is away it is attested by nobody, and the pod's own server must neither wait for it nor leave its Service for it.
 */
export function upstreamAgent({ image, size, configMap }: UpstreamAgentArgs): {
  readonly container: k8s.types.input.core.v1.Container;
  readonly pod: Partial<k8s.types.input.core.v1.PodSpec>;
  readonly volumes: k8s.types.input.core.v1.Volume[];
} {
  const own = (name: string) => `upstream-agent-${name}`;
  return {
    container: {
      name: "upstream-agent",
      image,
      // Beside the server as long as it runs: started before it, and ended after it.
      restartPolicy: "Always",
      command: [SPIRE_AGENT.binary, "run"],
      args: ["-config", AGENT_PATHS.config],
      resources: containerResources(size, DEFAULT_SIZES.agent),
      securityContext: { ...UNPRIVILEGED, runAsUser: UPSTREAM_AGENT_UID },
      volumeMounts: [
        { name: own("config"), mountPath: AGENT_PATHS.configDir, readOnly: true },
        { name: own("bundle"), mountPath: AGENT_PATHS.bundleDir, readOnly: true },
        { name: own("token"), mountPath: AGENT_PATHS.tokenDir, readOnly: true },
        { name: own("data"), mountPath: AGENT_PATHS.dataDir },
        { name: UPSTREAM_VOLUME, mountPath: SERVER_PATHS.upstreamDir },
      ],
    },
    pod: { shareProcessNamespace: true },
    volumes: [
      {
        name: own("config"),
        configMap: { name: configMap, items: [{ key: UPSTREAM_AGENT_CONF, path: "agent.conf" }] },
      },
      // Published by the server above. The pod waits in ContainerCreating until it is there.
      { name: own("bundle"), configMap: { name: ATTESTED.server.bundleConfigMap } },
      { ...AGENT_TOKEN_VOLUME, name: own("token") },
      { name: own("data"), emptyDir: {} },
    ],
  };
}
