// The agents, in the configuration.
import { z } from "zod";
import { AGENT_SIZE } from "../../components/workloads/agent-pod";
import type { Draft } from "./clouds/spec";
import { text } from "./fields";
import { imageReference } from "./images";
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

/** What all agents have in common. */
export const agents = z
  .strictObject({
    replicas: z.int().min(1).default(2).meta({ description: "Pods of each role. Default: 2." }),
    autoscaling,
    image: imageReference("registry.example.org/my-agent:1.0.0").optional().meta({
      description:
        "Image of an agent of one's own, with its tag (not latest) or digest, which replaces the reference agent: its entry point gets --config and the path of config.yaml. Default: the reference agent.",
    }),
    environment: z
      .enum(["development", "staging", "production"])
      .default("production")
      .meta({ description: "Environment that agents say they are in. Default: production." }),
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
  })
  .prefault({})
  .meta({ description: "The agents." });

/** Mistakes in how the numbers of pods go together. */
export function agentsProblems({ autoscaling }: Draft<z.output<typeof agents>>): Problem[] {
  const { minReplicas, maxReplicas } = autoscaling ?? {};
  if (minReplicas === undefined || maxReplicas === undefined || minReplicas <= maxReplicas) {
    return [];
  }
  const message = `is ${minReplicas}, above maxReplicas; write at most ${maxReplicas}`;
  return [{ path: ["agents", "autoscaling", "minReplicas"], message }];
}
