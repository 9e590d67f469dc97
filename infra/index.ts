// The program that `pulumi up` runs: the stack's configuration in, the mesh and its outputs out.
import * as pulumi from "@pulumi/pulumi";
import { mergeKubeconfigs } from "../components/clouds";
import { resolveImages } from "../components/images";
import { httpsUrl } from "../components/kubernetes/load-balancer";
import type { NetworkSettings } from "../components/network/mode";
import { AGENT_PORTS, GRAFANA, NAMESPACES, PROMETHEUS, TAILNET, TRACE_STORE } from "../components/well-known";
import { loadConfig } from "./config";
import { judgePlaceholders } from "./config/placeholders";
import { refuseConflicts } from "./conflicts";
import { AgentMesh } from "./mesh";
import { askStacks } from "./stack-outputs";
import { capacityOf } from "./notes";

/** Stands the mesh up, and returns the stack's outputs. Pulumi calls what a program exports. */
async function program() {
  const written = loadConfig();
  const asked = await askStacks(written);
  const config = asked === undefined ? written : loadConfig(asked);
  judgePlaceholders(pulumi.getStack(), config.clouds);
  await refuseConflicts(config);
  for (const { cloud, judged, text } of capacityOf(config)) {
    if (!judged) void pulumi.log.info(`cloud ${cloud}: ${text}`);
  }
  const mesh = new AgentMesh("mesh", config);

  /** What an operator needs to know of each cloud, by its name. */
  const clouds = Object.fromEntries(
    mesh.clouds.map(({ config, cluster, spire }) => [
      cluster.name,
      {
        region: cluster.region,
        clusterName: cluster.clusterName,
        context: cluster.context,
        trustDomain: config.trustDomain,
        /** The cloud whose SPIRE server attests its nodes and issues its identities. */
        spireServer: spire.server.target.cloud,
        /** Ranges of the public addresses from which its pods come on the internet, for the allow lists of others. */
        egress: cluster.egressCidrs,
        /** Where the others fetch the bundle of this cloud's SPIRE server; undefined within one trust domain. */
        bundleEndpoint: spire.server.bundle.bundleEndpointUrl,
        /** How that proves itself. Default: https_spiffe. */
        bundleEndpointProfile: spire.server.bundle.bundleEndpointProfile,
        /** Where partners fetch it from the server itself (https_spiffe), where it is elsewhere for the others. */
        partnerEndpoint: spire.server.bundle.bundleEndpointProfile && spire.server.bundleEndpointUrl,
        /** SHA-256 over the X.509 authorities of the bundle, as TrustBundle computes it. */
        bundleDigest: mesh.federation.bundles[spire.server.target.cloud]!.digest,
      },
    ]),
  );

  const contexts = new Map(mesh.clouds.map(({ cluster }) => [cluster.name, cluster.context]));

  /** Where the agents are, by `<cloud>/<role>`. `context` is that of the cloud's cluster in `kubeconfig`. */
  const agents = Object.fromEntries(
    mesh.workloads.agents.map((agent) => [
      `${agent.cloud}/${agent.role}`,
      { ...agent, context: contexts.get(agent.cloud) },
    ]),
  );

  /**
   * How the clouds are connected; on a tailnet its domain, and where any cloud's agents answer; with tunnels the agents' DNS records, and
   * what the owners of existing gateways have to set. Keys are secret.
   */
  const network = networkOutput(mesh, config.network);

  /** Who trusts whom: `<target> trusts <source>`, with the time of the proof by a live, authenticated fetch. None within one trust domain. */
  const relationships = Object.fromEntries(
    mesh.federation.relationships.map(({ target, source, relationship }) => [
      `${target} trusts ${source}`,
      { storedDigest: relationship.storedDigest, verifiedAt: relationship.verifiedAt },
    ]),
  );

  /** Where observability is: for `mesh top` and `mesh trace`, and for `kubectl port-forward`. Not there without it. */
  const observability = config.observability && {
    home: config.observability.home,
    prometheus: { namespace: NAMESPACES.observability, pod: PROMETHEUS.pod, port: PROMETHEUS.port },
    traces: { namespace: NAMESPACES.observability, pod: TRACE_STORE.pod, port: TRACE_STORE.queryPort },
    grafana: { namespace: NAMESPACES.observability, service: GRAFANA.name, port: GRAFANA.port },
  };

  /** Password of Grafana's user `admin`. Secret: `pulumi stack output grafanaPassword --show-secrets`. */
  const grafanaPassword = mesh.observability?.grafanaPassword;

  /** Image with Node.js, with which `mesh backup` and `mesh restore` read and write the volume of a SPIRE server. */
  const nodeImage = resolveImages(config.images).agent;

  /** All clusters in one kubeconfig. Secret: `pulumi stack output kubeconfig --show-secrets > kubeconfig`. */
  const kubeconfig = pulumi.secret(
    pulumi
      .all(mesh.clouds.map(({ cluster: { context, kubeconfig } }) => ({ context, kubeconfig })))
      .apply(mergeKubeconfigs),
  );
  // Pulumi warns of an output that is undefined.
  const seen = observability && { observability, grafanaPassword };
  return { clouds, agents, network, relationships, ...seen, nodeImage, kubeconfig };
}

function networkOutput(mesh: AgentMesh, settings: NetworkSettings) {
  if (settings.mode === "direct") return { mode: settings.mode };
  if (settings.mode === "vpn") {
    const { domain } = settings.vpn;
    return {
      mode: settings.mode,
      domain,
      // For networks where the program makes no DNS zone, and gateways that it does not look after.
      records: Object.fromEntries(
        mesh.names.map(({ label, type, value }) => [`${label}.${domain}`, { type, value }]),
      ),
      tunnels: mesh.network.handedOver,
    };
  }
  const { tailnet, global } = settings.tailscale;
  return {
    mode: settings.mode,
    tailnet,
    ...(global ? { global: httpsUrl(`${TAILNET.global}.${tailnet}`, AGENT_PORTS.mtls) } : {}),
  };
}

export = program;
