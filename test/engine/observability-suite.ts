// Observability, on a rehearsal that another test has stood up: access, alerts, traces, and what is lost and mended.
import https from "node:https";
import { run } from "../../cli/main";
import { traceStore } from "../../cli/jaeger";
import type { Mesh, MeshCloud } from "../../cli/mesh-outputs";
import { queryPrometheus } from "../../cli/prometheus";
import type { TopFrame } from "../../cli/top";
import { clusterSecret } from "../../components/observability/prometheus/files";
import { LABELS } from "../../components/observability/rules/names";
import { AGENT_PORTS, NAMESPACES, SPIRE_SERVER } from "../../components/well-known";
import { CONNECTION_TAGS } from "../../components/envoy/metrics";
import type { Report } from "../../rehearsal/rehearsal";
import { scale } from "../../rehearsal/proof/scale";
import { until } from "../../rehearsal/proof/steps";
import { documentedMeshCommands } from "../support/commands";

const MINUTES = 60_000;
/** A bundle counts as unconfirmed after two minutes; one more for everything else. */
const ALERT_LIMIT_MS = 4 * MINUTES;

/** The rehearsal that the tests are about. */
export interface Stage {
  mesh(): Mesh;
  /** File with the stack's outputs. */
  outputs(): string;
  /** Of the first run. */
  report(): Report;
  /** What `mesh verify` says is wrong: `<place> <check>` with its cause. */
  troubles(): Promise<Record<string, string>>;
}

async function api(cloud: MeshCloud) {
  const k8s = await import("@kubernetes/client-node");
  const config = new k8s.KubeConfig();
  config.loadFromString(cloud.kubeconfig);
  const { server, caData } = config.getCurrentCluster()!;
  return { core: config.makeApiClient(k8s.CoreV1Api), server, ca: Buffer.from(caData!, "base64") };
}

/** Status of an API server's answer to somebody with this token, or with none. */
async function statusOf(cloud: MeshCloud, method: string, path: string, token?: string): Promise<number> {
  const { server, ca } = await api(cloud);
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    https
      .request(new URL(path, server), { method, ca, headers, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
      })
      .once("error", reject)
      .end();
  });
}

/** Runs `mesh` on the rehearsal and returns what it prints. */
async function mesh(stage: Stage, ...args: string[]): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const terminal = { out: (text: string) => void out.push(text), err: () => {} };
  const code = await run([...args, "--outputs", stage.outputs()], terminal);
  return { code, out: out.join("\n") };
}

/** Alerts of a SPIRE server of gcp that is down. */
const DOWN = [
  "SpireServerDown gcp",
  "FederatedBundleUnconfirmed aws gcp",
  "FederatedBundleUnconfirmed azure gcp",
];

/** Alerts that hold, as `<name> <cloud>`, or `<name> <cloud> <peer>` for one about a pair. */
async function alerts(stage: Stage): Promise<string[]> {
  const prometheus = queryPrometheus(stage.mesh());
  try {
    return (await prometheus.alerts()).map(({ labels }) =>
      [labels["alertname"], labels[LABELS.cloud], labels[LABELS.peerCloud]].filter(Boolean).join(" "),
    );
  } finally {
    prometheus.close();
  }
}

/** Tests of observability of three clouds, `aws` its home. */
export function observabilityTests(stage: Stage): void {
  const cloud = (name: string) => stage.mesh().clouds.find((each) => each.name === name)!;
  /** What Prometheus reads `name` with. */
  const tokenFor = async (name: string) => {
    const { core } = await api(cloud("aws"));
    const where = { namespace: NAMESPACES.observability, name: clusterSecret(name) };
    return Buffer.from((await core.readNamespacedSecret(where)).data!["token"]!, "base64").toString();
  };

  test("is seen: all targets, all rules, a round trip as one trace, all dashboards, and no alert", () => {
    const { steps } = stage.report().observability!;
    expect(steps.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(steps.length).toBeGreaterThan(3);
  });

  test("lets Prometheus read metrics of another cloud and nothing more", async () => {
    const token = await tokenFor("gcp");
    const { core } = await api(cloud("gcp"));
    const { items } = await core.listNamespacedPod({ namespace: NAMESPACES.agents });
    const pod = `/api/v1/namespaces/${NAMESPACES.agents}/pods/${items[0]!.metadata!.name}`;
    const metrics = `${pod}:${AGENT_PORTS.metrics}/proxy/metrics`;
    expect(await statusOf(cloud("gcp"), "GET", metrics, token)).toBe(200);
    expect(await statusOf(cloud("gcp"), "GET", metrics)).toBe(403);
    expect(await statusOf(cloud("gcp"), "GET", metrics, await tokenFor("azure"))).toBe(401);
    const refused = [
      ["GET", `/api/v1/namespaces/${NAMESPACES.agents}/secrets`],
      ["GET", `/api/v1/namespaces/${NAMESPACES.observability}/secrets`],
      ["GET", "/api/v1/pods"],
      ["POST", `${pod}/exec?command=ls`],
      ["POST", `${pod}:${AGENT_PORTS.metrics}/proxy/metrics`],
      ["DELETE", pod],
      ["POST", `/api/v1/namespaces/${NAMESPACES.observability}/serviceaccounts/default/token`],
    ] as const;
    for (const [method, path] of refused) {
      expect(`${method} ${path}: ${await statusOf(cloud("gcp"), method, path, token)}`).toBe(
        `${method} ${path}: 403`,
      );
    }
  });

  test(
    "shows the command line a round trip as a tree",
    async () => {
      const last = async () => (await mesh(stage, "trace", "last")).out;
      const before = /^Trace: \w+/.exec(await last())![0];
      expect((await mesh(stage, "call", "aws", "aws", "ping", "--via", "gcp,azure")).code).toBe(0);
      const out = await until("the whole trace", async () => {
        const out = await last();
        const whole = out.includes("aws → gcp → azure → aws") && !out.includes("missing");
        return whole && !out.startsWith(before) ? out : undefined;
      });
      for (const name of ["aws-agent.process", "call_agent(gcp-agent)", "azure-agent.process"]) {
        expect(out).toContain(name);
      }
    },
    MINUTES,
  );

  test("has the first call's way through the network in its trace", async () => {
    const store = traceStore(stage.mesh());
    try {
      const traces = await store.newest("aws-agent", { from: new Date(0), to: new Date() }, 100);
      const tags = new Set(
        traces.flatMap(({ spans }) => spans.flatMap((span) => Object.keys(span.attributes))),
      );
      expect([...tags]).toEqual(expect.arrayContaining(Object.values(CONNECTION_TAGS)));
    } finally {
      store.close();
    }
  });

  test("shows the command line every pair of clouds", async () => {
    const { out } = await mesh(stage, "top", "--once", "--json");
    const { pairs, clouds } = JSON.parse(out) as TopFrame;
    expect(clouds.map(({ cloud }) => cloud)).toEqual(["aws", "azure", "gcp"]);
    expect(pairs).toHaveLength(6);
    for (const pair of pairs) {
      expect(pair).toMatchObject({ reachable: 1 });
      expect(pair.trustSeconds).toBeGreaterThan(0);
    }
  });

  const ofStanding = ["verify", "status", "top", "call"];
  test.each(
    documentedMeshCommands(({ name, options }) => {
      const isTrace = name === "trace" && options[0] === "last";
      return (ofStanding.includes(name) || isTrace) && !options.includes("--stack");
    }),
  )(
    "does what documents say: npx mesh $command",
    async ({ words }) => {
      const once = words[0] === "top" && !words.includes("--once") ? ["--once"] : [];
      const { code, out } = await mesh(stage, ...words, ...once);
      expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/\S/) });
    },
    2 * MINUTES,
  );

  /** Prometheus' token for gcp that was deleted. */
  let deleted: string | undefined;

  test("loses a Secret of Prometheus", async () => {
    const { core } = await api(cloud("aws"));
    deleted = await tokenFor("gcp");
    await core.deleteNamespacedSecret({
      namespace: NAMESPACES.observability,
      name: clusterSecret("gcp"),
    });
  });

  test(
    "tells by the command line and by alerts of a SPIRE server that is down, and of the bundles that are no longer confirmed",
    async () => {
      const server = {
        kind: "StatefulSet",
        namespace: NAMESPACES.spireServer,
        name: SPIRE_SERVER.name,
      } as const;
      const restore = await scale(cloud("gcp"), server, 0);
      try {
        const found = await stage.troubles();
        expect(found["gcp spire-server"]).toBeDefined();
        expect(found["aws trusts gcp fetch"]).toBeDefined();
        expect(found["aws trusts azure fetch"]).toBeUndefined();
        await until(
          "the alerts",
          async () => {
            const found = await alerts(stage);
            // Pending ones, too, of which a scrape that came late is one for a moment.
            const others = found.filter((alert) => /^(Federated|Spire)/.test(alert) && !DOWN.includes(alert));
            if (others.length > 0) throw new Error(`besides: ${others.join(", ")}`);
            return DOWN.every((alert) => found.includes(alert)) || undefined;
          },
          { pollMs: 1_000, limitMs: ALERT_LIMIT_MS },
        );
      } finally {
        await restore();
      }
      expect(await stage.troubles()).toEqual({});
    },
    10 * MINUTES,
  );

  test(
    "has given Prometheus a new token for a cloud meanwhile: somebody had deleted the one it had",
    async () => {
      // The renewer looks once a minute.
      const after = await until("another token", () => tokenFor("gcp").catch(() => undefined), {
        pollMs: 1_000,
        limitMs: 2 * MINUTES,
      });
      expect(after).not.toBe(deleted);
    },
    3 * MINUTES,
  );
}

/** Tests of what has to be over when other tests have gone on for some minutes. */
export function laterObservabilityTests(stage: Stage): void {
  test(
    "has no alert any more of what was mended",
    () =>
      until(
        "the alerts' end",
        async () => ((await alerts(stage)).some((alert) => DOWN.includes(alert)) ? undefined : true),
        { pollMs: 1_000, limitMs: ALERT_LIMIT_MS },
      ),
    5 * MINUTES,
  );
}
