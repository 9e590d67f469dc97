// SPIRE servers in pods of a test's cloud, each in a namespace of its own: to the providers, that is a cloud of the mesh each.
import path from "node:path";
import type { AppsV1Api, CoreV1Api, V1StatefulSet } from "@kubernetes/client-node";
import { ownVolume } from "../../components/kubernetes/volume";
import type { ServerLocation } from "../../components/trust/server-location";
import { SPIRE_PORTS, SPIRE_SERVER } from "../../components/well-known";
import { resolveImages } from "../../components/images";
import { until } from "../../rehearsal/proof/steps";

/** Clients of the test's cloud. */
export interface Apis {
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
}

/** Where the server of a namespace is. */
export const target = (namespace: string, trustDomain: string): ServerLocation => ({
  cloud: namespace,
  trustDomain,
  namespace,
  pod: SPIRE_SERVER.pod,
  container: SPIRE_SERVER.container,
});

const conf = (trustDomain: string) => `server {
  bind_address = "0.0.0.0"
  bind_port = ${SPIRE_PORTS.api}
  socket_path = "${SPIRE_SERVER.socket}"
  trust_domain = "${trustDomain}"
  data_dir = "/run/spire/data"
  federation { bundle_endpoint { address = "0.0.0.0" port = ${SPIRE_PORTS.bundleEndpoint} profile "https_spiffe" {} } }
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "/run/spire/data/datastore.sqlite3" } }
  KeyManager "disk" { plugin_data { keys_path = "/run/spire/data/keys.json" } }
  NodeAttestor "join_token" { plugin_data {} }
}
`;

const app = { app: "spire-server" };
/** Name of the server's volume. */
export const DATA = "data";
const statefulSet: V1StatefulSet = {
  metadata: { name: SPIRE_SERVER.name },
  spec: {
    replicas: 1,
    serviceName: "none",
    podManagementPolicy: "Parallel",
    selector: { matchLabels: app },
    ...ownVolume({}, DATA, "1Gi", app),
    template: {
      metadata: { labels: app },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: { runAsUser: 1000, fsGroup: 1000 },
        containers: [
          {
            name: SPIRE_SERVER.container,
            image: resolveImages({ digests: false }).spireServer,
            command: [SPIRE_SERVER.binary, "run"],
            args: ["-config", "/run/spire/config/server.conf"],
            volumeMounts: [
              { name: "config", mountPath: "/run/spire/config" },
              { name: DATA, mountPath: "/run/spire/data" },
              { name: "socket", mountPath: path.posix.dirname(SPIRE_SERVER.socket) },
            ],
          },
        ],
        volumes: [
          { name: "config", configMap: { name: "server" } },
          { name: "socket", emptyDir: {} },
        ],
      },
    },
  },
};

/** Makes a namespace with a server. Returns the address of its bundle endpoint. */
export async function makeServer(
  { core, apps }: Apis,
  namespace: string,
  trustDomain: string,
): Promise<string> {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: "server" }, data: { "server.conf": conf(trustDomain) } },
  });
  await apps.createNamespacedStatefulSet({ namespace, body: statefulSet });
  const port = SPIRE_PORTS.bundleEndpoint;
  const spec = {
    type: "LoadBalancer",
    selector: app,
    ports: [{ port, targetPort: port }],
  };
  await core.createNamespacedService({ namespace, body: { metadata: { name: "federation" }, spec } });
  const ip = await until(`the load balancer of ${namespace}`, async () => {
    const service = await core.readNamespacedService({ namespace, name: "federation" });
    return service.status?.loadBalancer?.ingress?.[0]?.ip;
  });
  return `https://${ip}:${port}`;
}
