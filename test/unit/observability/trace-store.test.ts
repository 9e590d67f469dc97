import { load } from "js-yaml";
import { resolveImages } from "../../../components/images";
import { TraceStore, type TraceStoreArgs } from "../../../components/observability/trace-store";
import { renderTraceStoreConfig } from "../../../components/observability/trace-store/config";
import { record, type Recording, valueOf } from "../../../infra/plan/recorder";
import {
  ACCOUNT,
  exposedCluster,
  CONFIG_MAP,
  containers,
  mounted,
  named,
  option,
  relayIn,
  SERVICE,
  SETTINGS,
  socketOf,
  STATEFUL_SET,
  unknownVolumes,
  violations,
} from "./traces-cluster";

/* eslint-disable @typescript-eslint/no-explicit-any -- Configurations as they were parsed have no type. */

const SENDERS = [
  "spiffe://aws.example.org/observability/otel-collector",
  "spiffe://gcp.example.org/observability/otel-collector",
];
const LOAD_BALANCER = {
  outputs: { [SERVICE]: { status: { loadBalancer: { ingress: [{ hostname: "lb.example.org" }] } } } },
};

const config = (sampling: Partial<typeof SETTINGS.sampling> = {}): any =>
  load(
    renderTraceStoreConfig({
      cloud: "aws",
      region: "us-east-1",
      traces: { ...SETTINGS, sampling: { ...SETTINGS.sampling, ...sampling } },
    }),
  );

function stand(more: Partial<TraceStoreArgs> = {}) {
  return record(
    () =>
      new TraceStore("traces", {
        cluster: exposedCluster(),
        senders: SENDERS,
        settings: SETTINGS,
        images: resolveImages(),
        exposure: { kind: "public" },
        ...more,
      }),
    LOAD_BALANCER,
  );
}

describe("the store's configuration", () => {
  test("writes what comes from the relay to the volume, for as long as it is kept", () => {
    const { exporters, extensions, receivers } = config();
    const { trace_storage: name } = exporters.jaeger_storage_exporter;
    const { badger } = extensions.jaeger_storage.backends[name];
    expect(badger).toMatchObject({ ephemeral: false, ttl: { spans: "72h" } });
    expect(extensions.jaeger_query).toMatchObject({ storage: { traces: name }, enable_tracing: false });
    expect(Object.keys(receivers.otlp.protocols)).toEqual(["grpc"]);
  });

  test("sheds load before anything else", () => {
    for (const mode of ["head", "tail"] as const) {
      expect(config({ mode }).service.pipelines.traces.processors[0]).toBe("memory_limiter");
    }
  });

  test("names every part that its pipeline uses, and no other", () => {
    for (const { receivers, processors, exporters, extensions, service } of [
      config(),
      config({ mode: "tail" }),
    ]) {
      const used = service.pipelines.traces;
      expect(Object.keys(receivers)).toEqual(used.receivers);
      expect(Object.keys(processors)).toEqual(used.processors);
      expect(Object.keys(exporters)).toEqual(used.exporters);
      expect(Object.keys(extensions)).toEqual(service.extensions);
    }
  });

  test("decides about whole traces with `tail` only: errors, slow ones, and some of the rest", () => {
    expect(config().processors.tail_sampling).toBeUndefined();
    const { policies } = config({ mode: "tail", percent: 5, slowerThanMs: 250 }).processors.tail_sampling;
    expect(policies).toEqual([
      { name: "errors", type: "status_code", status_code: { status_codes: ["ERROR"] } },
      { name: "slow", type: "latency", latency: { threshold_ms: 250 } },
      { name: "some", type: "probabilistic", probabilistic: { sampling_percentage: 5 } },
    ]);
  });
});

describe("the trace store", () => {
  let traces: TraceStore;
  let made: Recording;
  beforeAll(async () => {
    [traces, made] = await stand();
  });
  const template = (recording = made) => recording.one(STATEFUL_SET).inputs.spec.template;
  const spec = (recording = made) => template(recording).spec;
  const service = (name: string, recording = made) => recording.one(SERVICE, `traces-${name}`).inputs;

  test("is restricted, with its relay, and holds no token of the cluster", () => {
    expect(violations(spec())).toEqual([]);
    expect(spec().automountServiceAccountToken).toBe(false);
    expect(made.one(ACCOUNT).inputs.automountServiceAccountToken).toBe(false);
  });

  test("lets in the named collectors alone, at the only port that is published", () => {
    const { relay } = containers(spec());
    const { listeners, clusters } = relayIn(made);
    const receive = named(listeners, "receive");
    expect(socketOf(receive.address)).toBe("0.0.0.0:4317");
    const [chain, ...none] = receive.filter_chains;
    expect(none).toEqual([]);
    expect(chain.transport_socket.typed_config.require_client_certificate).toBe(true);
    const { matcher } = chain.filters[0].typed_config;
    expect(Object.keys(matcher.matcher_tree.exact_match_map.map)).toEqual(SENDERS);
    expect(matcher.on_no_match).toBeUndefined();
    const { address } = named(clusters, "store").load_assignment.endpoints[0].lb_endpoints[0].endpoint;
    const { endpoint, transport = "tcp" } = config().receivers.otlp.protocols.grpc;
    // The file of a unix socket outlives a store that is killed, and keeps the next one from listening.
    expect({ endpoint, transport }).toEqual({ endpoint: socketOf(address), transport: "tcp" });
    // Of the pod alone; and not the address to which a device of a tailnet passes on what comes for the pod.
    expect(address.socket_address.address).toMatch(/^127\.(?!0\.0\.1$)/);
    const published = service("intake").spec;
    expect(published).toMatchObject({ type: "LoadBalancer", ports: [{ port: 4317, targetPort: 4317 }] });
    expect(relay.ports).toContainEqual({ name: "intake", containerPort: 4317 });
  });

  test("is reached within its cluster by name, for what comes and for what is asked", () => {
    const address = ({ metadata, spec }: any) =>
      `${metadata.name}.${metadata.namespace}.svc.cluster.local:${spec.ports[0].port}`;
    expect(traces.address).toBe(address(service("intake")));
    expect(traces.queryUrl).toBe(`http://${address(service("query"))}`);
    expect(service("query").spec).not.toHaveProperty("type");
  });

  test("has a host where it has a load balancer, and none where it has not", async () => {
    expect(await valueOf(traces.host!)).toBe("lb.example.org");
    expect(service("intake").metadata.annotations).toMatchObject({ balancer: "public" });
    const [within, inside] = await stand({ exposure: { kind: "cluster" } });
    expect(within.host).toBeUndefined();
    expect(service("intake", inside).spec.type).toBe("ClusterIP");
    const [, tunnels] = await stand({ exposure: { kind: "internal", sources: ["10.1.0.0/16"] } });
    expect(service("intake", tunnels).metadata.annotations).toMatchObject({ balancer: "internal" });
    expect(service("intake", tunnels).spec.loadBalancerSourceRanges).toEqual(["10.1.0.0/16"]);
  });

  test("keeps its traces on a volume that it may write, and that leaves with it", () => {
    const { jaeger } = containers(spec());
    const { volumeClaimTemplates: claims, ...set } = made.one(STATEFUL_SET).inputs.spec;
    const [claim] = claims;
    expect(claim.spec).toMatchObject({
      storageClassName: "fast",
      resources: { requests: { storage: "20Gi" } },
    });
    expect(unknownVolumes(spec(), [claim.metadata.name])).toEqual([]);
    const { badger } = config().extensions.jaeger_storage.backends["badger"];
    for (const directory of Object.values<string>(badger.directories)) {
      expect(mounted(spec(), jaeger, directory)).toBe(claim.metadata.name);
    }
    expect(spec().securityContext.fsGroup).toBe(spec().securityContext.runAsUser);
    expect(set).toMatchObject({
      replicas: 1,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete" },
    });
  });

  test("finds its configuration, and is probed where it tells of its health", () => {
    const { jaeger } = containers(spec());
    const [file] = option(jaeger, "--config");
    expect(mounted(spec(), jaeger, file!)).toMatchObject({
      configMap: { name: made.one(CONFIG_MAP).inputs.metadata.name },
    });
    const port = jaeger.ports.find(({ name }: any) => name === "health").containerPort;
    expect(config().extensions.healthcheckv2.http.endpoint).toBe(`0.0.0.0:${port}`);
    expect(jaeger.readinessProbe.httpGet).toEqual({ path: "/status", port: "health" });
  });

  test("stands on the tailnet where the network says so", async () => {
    const [, there] = await stand({
      withNetwork: (pod) => ({ ...pod, metadata: { annotations: { tailnet: "yes" } } }),
    });
    expect(template(there).metadata.annotations).toEqual({ tailnet: "yes" });
  });

  test("leaves before its account and files, and after nobody who asks it", () => {
    const set = made.one(STATEFUL_SET);
    for (const type of [ACCOUNT, CONFIG_MAP]) expect(made.leavesBefore(set, made.one(type))).toBe(true);
    expect(made.leavesBefore(made.one(SERVICE, "traces-query"), set)).toBe(true);
  });
});
