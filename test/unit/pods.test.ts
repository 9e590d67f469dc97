import { NETWORK_MODES } from "../../components/network/mode";
import { METRICS_PORT_NAMES } from "../../components/well-known";
import { planOf, type Planned } from "../../infra/plan/plan";

interface Port {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}
interface Pod {
  /** Name of the resource. */
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ports: readonly Port[];
}

const podOf = ({ name, inputs }: Planned): Pod => {
  const { metadata, spec } = inputs.spec.template;
  const containers = [...(spec.initContainers ?? []), ...spec.containers] as { ports?: Port[] }[];
  return {
    name,
    annotations: metadata.annotations ?? {},
    ports: containers.flatMap(({ ports = [] }) => ports),
  };
};

/** Those that are there more than once. */
const repeated = (values: readonly unknown[]) =>
  values.filter((value, index) => values.indexOf(value) !== index);

/** Whether Kubernetes takes it for the name of a port: IANA_SVC_NAME (RFC 6335, section 5.1), in small letters. */
const isPortName = (name = "") =>
  name.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) && /[a-z]/.test(name);

describe.each(NETWORK_MODES)("in mode %s, each disruption budget", (mode) => {
  test("lets a pod that is not ready be evicted, which would block the drain of its node for ever", async () => {
    const budgets = (await planOf("dev", { mode })).resources.filter(({ type }) =>
      type.endsWith(":PodDisruptionBudget"),
    );
    expect(budgets.length).toBeGreaterThan(10);
    for (const { name, inputs } of budgets) {
      expect([name, inputs.spec.unhealthyPodEvictionPolicy]).toEqual([name, "AlwaysAllow"]);
    }
  });
});

describe("each volume of a StatefulSet", () => {
  test("grows in place: another size or class replaces nothing, and the size is that of the claim", async () => {
    const plan = (await planOf("dev", { mode: "direct" })).resources;
    const sets = plan.filter(({ inputs }) => inputs.spec?.volumeClaimTemplates);
    expect(sets.map(({ inputs }) => inputs.metadata.name as string).sort()).toEqual([
      "jaeger",
      "prometheus",
      "spire-server",
      "spire-server",
      "spire-server",
    ]);
    for (const set of sets) {
      expect(set.ignoreChanges).toContain("spec.volumeClaimTemplates");
      const [template] = set.inputs.spec.volumeClaimTemplates;
      const { name, namespace } = set.inputs.metadata;
      const claims = plan.filter(
        ({ type, cloud, inputs }) =>
          type.endsWith(":PersistentVolumeClaimPatch") &&
          cloud === set.cloud &&
          inputs.metadata.name === `${template.metadata.name}-${name}-0`,
      );
      expect(claims).toHaveLength(1);
      const [claim] = claims;
      expect(claim!.inputs.metadata).toMatchObject({
        namespace,
        annotations: { "pulumi.com/patchForce": "true" },
      });
      expect(claim!.inputs.spec.resources).toEqual(template.spec.resources);
      expect(claim!.dependencies).toContain(set.urn);
      // The size cannot be taken back; the claim leaves with the StatefulSet.
      expect(claim!.retainOnDelete).toBe(true);
    }
  });
});

describe.each(NETWORK_MODES)("in mode %s, the ports of each pod", (mode) => {
  let pods: readonly Pod[];
  beforeAll(async () => {
    const plan = (await planOf("dev", { mode })).resources;
    pods = plan.filter(({ inputs }) => inputs.spec?.template?.spec?.containers).map(podOf);
  });

  /** What is amiss, by pod: nothing is the aim. */
  const amiss = (find: (pod: Pod) => readonly unknown[]) =>
    pods.flatMap((pod) => {
      const found = find(pod);
      return found.length > 0 ? [{ pod: pod.name, found }] : [];
    });

  test("are looked at in all of its pods, those of relays and sidecars among them", () => {
    const names = new Set(pods.flatMap(({ ports }) => ports.map(({ name }) => name)));
    expect(names).toContain(METRICS_PORT_NAMES.relay);
    expect(names.has(METRICS_PORT_NAMES.tailnet)).toBe(mode === "tailscale");
    expect(pods.filter(({ ports }) => ports.length === 0).map(({ name }) => name)).toEqual([]);
  });

  test("have names that Kubernetes takes, each a name of its own", () => {
    expect(amiss(({ ports }) => ports.filter(({ name }) => !isPortName(name)))).toEqual([]);
    expect(amiss(({ ports }) => repeated(ports.map(({ name }) => name)))).toEqual([]);
  });

  test("have numbers of their own, since its containers share one address", () => {
    const numberOf = ({ containerPort, protocol = "TCP" }: Port) => `${containerPort}/${protocol}`;
    expect(amiss(({ ports }) => repeated(ports.map(numberOf)))).toEqual([]);
  });

  test("are found by Prometheus where the pod says that it has metrics", () => {
    const found: readonly (string | undefined)[] = Object.values(METRICS_PORT_NAMES);
    const told = ({ annotations }: Pod) => annotations["prometheus.io/port"];
    expect(pods.filter(told).length).toBeGreaterThan(20);
    expect(
      amiss((pod) => {
        const port = pod.ports.find(({ containerPort }) => String(containerPort) === told(pod));
        return told(pod) === undefined || found.includes(port?.name) ? [] : [told(pod)];
      }),
    ).toEqual([]);
  });
});
