import { load } from "js-yaml";
import * as pulumi from "@pulumi/pulumi";
import { resolveImages } from "../../../components/images";
import { Collector, type CollectorArgs } from "../../../components/observability/collector";
import { renderCollectorConfig } from "../../../components/observability/collector/config";
import { record, type Recording } from "../../../infra/plan/recorder";
import {
  ACCOUNT,
  exposedCluster,
  BUDGET,
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

const INTAKE = {
  address: "traces.example.org:4317",
  spiffeId: "spiffe://gcp.example.org/observability/jaeger",
};

/* eslint-disable @typescript-eslint/no-explicit-any -- Configurations as they were parsed have no type. */

const config = (sampling: Partial<typeof SETTINGS.sampling> = {}): any =>
  load(
    renderCollectorConfig({
      cloud: "aws",
      region: "us-east-1",
      clusterName: "agentweave-aws",
      sampling: { ...SETTINGS.sampling, ...sampling },
    }),
  );

function stand(more: Partial<CollectorArgs> = {}) {
  return record(
    () =>
      new Collector("aws-collector", {
        cluster: exposedCluster(),
        intake: INTAKE,
        settings: SETTINGS,
        images: resolveImages(),
        ...more,
      }),
  );
}

describe("the collector's configuration", () => {
  test("sheds load before anything else, and batches last", () => {
    const { processors } = config({ percent: 10 }).service.pipelines.traces;
    expect(processors).toEqual(["memory_limiter", "resource", "probabilistic_sampler", "batch"]);
  });

  test("names every part that its pipeline uses, and no other", () => {
    for (const { receivers, processors, exporters, extensions, service } of [
      config(),
      config({ percent: 5 }),
    ]) {
      const used = service.pipelines.traces;
      expect(Object.keys(receivers)).toEqual(used.receivers);
      expect(Object.keys(processors)).toEqual(used.processors);
      expect(Object.keys(exporters)).toEqual(used.exporters);
      expect(Object.keys(extensions)).toEqual(service.extensions);
    }
  });

  test("drops by the trace's id alone, so that all clouds keep the same traces", () => {
    expect(config({ percent: 12.5 }).processors.probabilistic_sampler).toEqual({
      mode: "proportional",
      sampling_percentage: 12.5,
    });
  });

  test.each([{ percent: 100 }, { mode: "tail", percent: 10 }] as const)(
    "drops nothing with %j",
    (sampling) => {
      expect(config(sampling).processors.probabilistic_sampler).toBeUndefined();
    },
  );

  test("says where spans come from, unless they say so themselves", () => {
    expect(config().processors.resource.attributes).toEqual([
      { key: "cloud", value: "aws", action: "insert" },
      { key: "region", value: "us-east-1", action: "insert" },
      { key: "k8s.cluster.name", value: "agentweave-aws", action: "insert" },
    ]);
  });

  test("keeps what cannot be sent on disk, within limits of time and size", () => {
    const { exporters, extensions } = config();
    const { sending_queue: queue, retry_on_failure: retry } = exporters.otlp_grpc;
    expect(Object.keys(extensions)).toContain(queue.storage);
    expect(queue.queue_size).toBeGreaterThan(0);
    expect(retry.max_elapsed_time).toMatch(/^[1-9]/);
    expect(extensions.file_storage.max_size).toBeGreaterThan(0);
  });
});

describe("the collector", () => {
  let collector: Collector;
  let made: Recording;
  beforeAll(async () => {
    [collector, made] = await stand();
  });
  const template = (recording = made) => recording.one(STATEFUL_SET).inputs.spec.template;
  const spec = (recording = made) => template(recording).spec;

  test("is restricted, with its relay, and holds no token of the cluster", () => {
    expect(violations(spec())).toEqual([]);
    expect(spec().automountServiceAccountToken).toBe(false);
    expect(made.one(ACCOUNT).inputs.automountServiceAccountToken).toBe(false);
    expect(spec().serviceAccountName).toBe(made.one(ACCOUNT).inputs.metadata.name);
  });

  test("is found by agents where its Service is", () => {
    const { metadata, spec: service } = made.one(SERVICE).inputs;
    const [{ name, port, targetPort }] = service.ports;
    expect(collector.endpoint).toBe(
      `http://${metadata.name}.${metadata.namespace}.svc.cluster.local:${port}`,
    );
    expect(containers(spec())["otel-collector"].ports).toContainEqual({
      name,
      containerPort: targetPort,
    });
    expect(service.selector).toEqual(made.one(STATEFUL_SET).inputs.spec.selector.matchLabels);
    expect(template().metadata.labels).toMatchObject(service.selector);
  });

  test("sends to the relay in its pod, which sends to the store alone", () => {
    const text = made.one(CONFIG_MAP).inputs.data["config.yaml"];
    const { endpoint } = (load(text) as any).exporters.otlp_grpc;
    const { listeners, clusters } = relayIn(made);
    const store = named(clusters, "store");
    expect(socketOf(store.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address)).toBe(
      "traces.example.org:4317",
    );
    expect(JSON.stringify(store.transport_socket)).toContain(`{"exact":"${INTAKE.spiffeId}"}`);
    // An address of the pod alone, which the relay can have again when it was killed.
    expect(endpoint).toBe(socketOf(named(listeners, "send").address));
    expect(endpoint).toMatch(/^127\./);
  });

  test("has a relay that finds the Workload API", () => {
    const { relay } = containers(spec());
    const { path } = named(relayIn(made).clusters, "workload_api").load_assignment.endpoints[0]
      .lb_endpoints[0].endpoint.address.pipe;
    expect(mounted(spec(), relay, path as string)).toMatchObject({ csi: { driver: "csi.spiffe.io" } });
    expect(mounted(spec(), relay, option(relay, "--config-path")[0]!)).toMatchObject({
      configMap: { name: made.one(CONFIG_MAP).inputs.metadata.name },
    });
  });

  test("starts after its relay, and ends before it", () => {
    expect(spec().initContainers).toMatchObject([{ name: "relay", restartPolicy: "Always" }]);
  });

  test("has one user in all containers, who is not root", () => {
    expect(spec().securityContext.runAsUser).toBeGreaterThan(0);
    for (const { securityContext } of Object.values(containers(spec()))) {
      expect(securityContext).not.toHaveProperty("runAsUser");
    }
  });

  test("finds its files, and has room for its queue", () => {
    const { "otel-collector": own } = containers(spec());
    expect(unknownVolumes(spec())).toEqual([]);
    const [file] = option(own, "--config");
    expect(mounted(spec(), own, file!)).toMatchObject({
      configMap: { name: made.one(CONFIG_MAP).inputs.metadata.name },
    });
    const { file_storage: storage } = config().extensions;
    const { emptyDir } = mounted(spec(), own, storage.directory);
    const size = Number(/^(\d+)Mi$/.exec(emptyDir.sizeLimit)![1]) * 2 ** 20;
    expect(size).toBeGreaterThan(storage.max_size);
  });

  test("is probed where it tells of its health", () => {
    const { "otel-collector": own } = containers(spec());
    const port = own.ports.find(({ name }: any) => name === "health").containerPort;
    expect(config().extensions.health_check.endpoint).toBe(`0.0.0.0:${port}`);
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(own[probe].httpGet).toEqual({ path: "/", port: "health" });
    }
  });

  test("is as many as the settings say, of which one stays", async () => {
    expect(made.one(STATEFUL_SET).inputs.spec.replicas).toBe(2);
    expect(made.one(BUDGET).inputs.spec).toMatchObject({ maxUnavailable: 1 });
    const [, one] = await stand({ settings: { ...SETTINGS, replicas: 1 } });
    expect(one.one(STATEFUL_SET).inputs.spec.replicas).toBe(1);
    expect(one.all(BUDGET)).toEqual([]);
  });

  test("goes through the tailnet where the network says so", async () => {
    const [, there] = await stand({
      proxyUrl: "http://127.0.0.1:1055",
      withNetwork: (pod) => ({ ...pod, metadata: { annotations: { tailnet: "yes" } } }),
    });
    const proxied = (recording: Recording) => relayIn(recording).clusters.map(({ name }: any) => name);
    expect(proxied(there)).toContain("proxy");
    expect(proxied(made)).not.toContain("proxy");
    expect(template(there).metadata.annotations).toEqual({ tailnet: "yes" });
  });

  test("is replaced when its configuration or that of its relay changes, and only then", async () => {
    const digest = (recording: Recording) => template(recording).metadata.annotations["checksum/config"];
    const [, same] = await stand({ intake: { ...INTAKE, address: pulumi.output(INTAKE.address) } });
    expect(template(same)).toEqual(template());
    const [, moved] = await stand({ intake: { ...INTAKE, address: "elsewhere.example.org:4317" } });
    const settings = { ...SETTINGS, sampling: { ...SETTINGS.sampling, percent: 1 } };
    const [, sampling] = await stand({ settings });
    expect(new Set([made, moved, sampling].map(digest)).size).toBe(3);
  });

  test("leaves before its account and files", () => {
    for (const type of [ACCOUNT, CONFIG_MAP]) {
      expect(made.leavesBefore(made.one(STATEFUL_SET), made.one(type))).toBe(true);
    }
  });
});
