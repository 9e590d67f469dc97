// The agents, in the configuration.
import { z } from "zod";
import { agentName } from "../../components/well-known";
import { AGENT_SIZE } from "../../components/workloads/agent-pod";
import type { Draft } from "./clouds/spec";
import { roleName, text } from "./fields";
import { imageReference } from "./images";
import type { RolesByCloud } from "./policy";
import type { Problem } from "./problem";
import { resources } from "./resources";

const autoscaling = z
  .strictObject({
    minReplicas: z
      .int()
      .min(1)
      .meta({
        description:
          "Fewest pods of a role where their number goes by CPU and not by replicas, which needs the cluster's metrics server: a cluster that the program makes has one. Default: no autoscaling.",
        examples: [2],
      }),
    maxReplicas: z
      .int()
      .min(1)
      .meta({ description: "Most pods of a role. Required with minReplicas.", examples: [6] }),
    cpuPercent: z
      .int()
      .min(1)
      .max(1000)
      .default(70)
      .meta({ description: "CPU to keep to, in percent of what is requested. Default: 70." }),
  })
  .optional();

const collector = text(/^https?:\/\/[^\s/?#@]+\/?$/, "a URL without a path such as http://collector:4318");

const tracing = z
  .strictObject({
    endpoint: collector.meta({
      description: "Where traces are sent: base URL of an OTLP collector (HTTP). Default: none are sent.",
      examples: ["http://otel-collector.observability.svc.cluster.local:4318"],
    }),
  })
  .optional();

/** What the agents of a role are. */
const role = z.strictObject({
  image: imageReference("registry.example.org/researcher:1.0.0")
    .optional()
    .meta({
      description:
        "Image of a program of one's own, with its tag (not latest) or digest. Default: the reference agent.",
      examples: ["registry.example.org/researcher:1.0.0"],
    }),
  sidecar: z.enum(["envoy", "none"]).default("envoy").meta({
    description:
      "What has the agent's identity. envoy: Envoy, beside a program that serves plain HTTP and knows nothing of identity; none: the program itself, by the Workload API (SPIFFE_ENDPOINT_SOCKET's directory is mounted), which gets --config and the path of config.yaml and serves mutual TLS at port 8443. Default: envoy.",
  }),
  replicas: z
    .int()
    .min(1)
    .optional()
    .meta({
      description: "Pods of this role. Default: agents.replicas.",
      examples: [3],
    }),
  port: z.int().min(1024).max(65535).default(8000).meta({
    description:
      "Port at which the program serves plain HTTP; it is told it as PORT. Envoy alone calls it, over 127.0.0.1. Default: 8000.",
  }),
  protocol: z
    .enum(["a2a", "agentweave", "http"])
    .optional()
    .meta({
      description:
        "What the program speaks, which says how the policy reads what it is asked. a2a: A2A 1.0, actions are its methods, such as SendMessage; agentweave: A2A whose messages name a skill in metadata.skill, or JSON-RPC of the AgentWeave SDK, actions are skills and types of tasks; http: anything else, actions are method and path, such as GET /models. Default: a2a.",
      examples: ["http"],
    }),
  env: z
    .record(text(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name such as MODEL"), z.string())
    .default({})
    .meta({ description: "Environment of the program. Default: none.", examples: [{ MODEL: "small" }] }),
  secrets: z
    .array(text(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "the name of a Secret such as model-keys"))
    .default([])
    .meta({
      description:
        "Names of Secrets in the namespace agentweave of each cloud with the role, whose keys are in the program's environment, too: keys of models and their like, which env would show to whoever reads the pod. Who makes them is not the program; pods wait for them. Default: none.",
      examples: [["model-keys"]],
    }),
  resources: resources(AGENT_SIZE).meta({ description: "Resources of the program, Envoy's not included." }),
});

/** What all agents have in common. */
export const agents = z
  .strictObject({
    replicas: z.int().min(1).default(2).meta({ description: "Pods of each role. Default: 2." }),
    autoscaling,
    image: imageReference("registry.example.org/my-agent:1.0.0").optional().meta({
      description:
        "Image of an agent of one's own that speaks mutual TLS by itself, with its tag (not latest) or digest, for all roles that are not in agents.roles: its entry point gets --config and the path of config.yaml. Default: the reference agent.",
    }),
    environment: z.enum(["development", "staging", "production"]).default("production").meta({
      description:
        "Environment that agents say they are in. Some rules of the policy pack hold in production alone. Default: production.",
    }),
    routing: z.enum(["order", "latency"]).default("order").meta({
      description:
        "Which of several endpoints is called first after those of the own cloud. order: by the names of the clouds; latency: the fastest. Default: order.",
    }),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(600)
      .default(10)
      .meta({ description: "Longest that one attempt of a call may take, in seconds. Default: 10." }),
    logLevel: z
      .enum(["DEBUG", "INFO", "WARNING", "ERROR"])
      .default("INFO")
      .meta({ description: "What agents log. Default: INFO." }),
    resources: resources(AGENT_SIZE).meta({ description: "Resources of an agent's pod." }),
    tracing,
    roles: z
      .record(roleName, role)
      .default({})
      .meta({
        description:
          "What is special about the agents of a role. Roles that are not named are the reference agent, or agents.image. Default: none.",
        examples: [{ researcher: { image: "registry.example.org/researcher:1.0.0" } }],
      }),
  })
  .prefault({})
  .meta({ description: "The agents." });

/** Roles that are called by the name of an agent, as `gcp-worker` is: the host would be that of both. */
function ambiguous(byCloud: RolesByCloud): Problem[] {
  const agents = [...byCloud].flatMap(([cloud, roles]) =>
    (roles ?? []).map((role) => ({ name: agentName(cloud, role), agent: `${cloud}/${role}` })),
  );
  return [...byCloud].flatMap(([cloud, roles]) =>
    (roles ?? []).flatMap((role, index) => {
      const other = agents.find(({ name }) => name === role);
      const message = `is "${role}", by which agent ${other?.agent} is called; write another`;
      return other ? [{ path: ["clouds", cloud, "roles", index], message }] : [];
    }),
  );
}

/** Mistakes in how settings of agents go together, and roles that no cloud has. */
export function agentsProblems(
  { autoscaling, roles }: Draft<z.output<typeof agents>>,
  byCloud: RolesByCloud,
): Problem[] {
  const { minReplicas, maxReplicas } = autoscaling ?? {};
  const known = [...byCloud.values()];
  const unused = Object.keys(roles ?? {}).filter((role) =>
    known.every((ofCloud) => ofCloud?.includes(role) === false),
  );
  return [
    ...(minReplicas === undefined || maxReplicas === undefined || minReplicas <= maxReplicas
      ? []
      : [
          {
            path: ["agents", "autoscaling", "minReplicas"],
            message: `is ${minReplicas}, above maxReplicas; write at most ${maxReplicas}`,
          },
        ]),
    ...Object.entries(roles ?? {}).flatMap(([role, is]) =>
      is?.sidecar === "none" && is.image === undefined
        ? [
            {
              path: ["agents", "roles", role, "sidecar"],
              message:
                "is none, and the reference agent has no identity of its own; write an image, or envoy",
            },
          ]
        : [],
    ),
    ...ambiguous(byCloud),
    ...unused.map((role) => ({
      path: ["agents", "roles", role],
      message: `is a role that no cloud has; add it to the roles of one, such as clouds.${[...byCloud.keys()][0] ?? "<cloud>"}.roles`,
    })),
  ];
}
