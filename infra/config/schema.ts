// The stack configuration's shape: the keys of namespace `agentweave-mesh` and what each may hold.
import { z } from "zod";
import { agents } from "./agents";
import { cloudSchema } from "./clouds";
import { cloudName, duration, text, trustDomain } from "./fields";
import { images } from "./images";
import { network } from "./network";
import { observability } from "./observability";
import { partners } from "./partners";
import { policy } from "./policy";
import { policyPack } from "./policy-pack";
import { spire } from "./spire";
import { workloads } from "./workloads";
import { trustRoot } from "./trust-root";

const otherTrust = (description: string) =>
  z
    .strictObject({
      mode: z.enum(["federated", "single"]).default("federated").meta({
        description: "trust.mode of then. Default: federated.",
      }),
      domain: trustDomain().meta({ description: "trust.domain of then. Required." }),
    })
    .optional()
    .meta({ description, examples: [{ mode: "single", domain: "example.org" }] });

const trust = z
  .strictObject({
    mode: z.enum(["federated", "single"]).default("federated").meta({
      description:
        "How the clouds trust each other. federated: a trust domain per cloud, all federated; single: one trust domain for all, whose SPIRE servers have one root. A mesh that stands changes it by next and former. Default: federated.",
    }),
    domain: trustDomain().default("example.org").meta({
      description:
        "Domain under which each cloud has its trust domain <cloud>.<domain>; in mode single the trust domain of all. Default: example.org.",
    }),
    next: otherTrust(
      "What mode and domain are to become: the identities of then are accepted already, under a root that the program makes now. The first of three steps to other trust domains on a mesh that stands: docs/trust.md. Default: they stay.",
    ),
    former: otherTrust(
      "What mode and domain were until now, with next in an earlier pulumi up: the identities of then are accepted still. Default: none are.",
    ),
    root: trustRoot,
    endpoint: z.enum(["server", "bucket"]).default("server").meta({
      description:
        "Where SPIRE servers fetch each other's bundles. server: from the other server, behind a load balancer (https_spiffe); bucket: from an object that the other server publishes (clouds.*.spire.bundlePublisher), which is there while that server is dead, by a public certificate (https_web), and no server is public: docs/trust.md. Default: server.",
    }),
    caTtl: duration()
      .default("168h")
      .meta({ description: "Lifetime of a SPIRE server's CA, a Go duration. Default: 168h." }),
    svidTtl: duration().default("1h").meta({
      description:
        "Lifetime of a workload's X.509 SVID, a Go duration; at most a sixth of caTtl. Default: 1h.",
    }),
    refreshHint: duration().default("5m").meta({
      description:
        "How often peers are asked to fetch the bundle, a Go duration of 1m to a 24th of caTtl. Default: 5m.",
    }),
    logLevel: z
      .enum(["DEBUG", "INFO", "WARN", "ERROR"])
      .default("INFO")
      .meta({ description: "What SPIRE servers and agents log. Default: INFO." }),
  })
  .prefault({})
  .meta({ description: "Trust domains and lifetimes of identities." });

const tags = z
  .record(z.string(), z.string())
  .default({})
  .meta({
    description:
      "Tags (on Google Cloud: labels) of every cloud resource. Each must suit every provider of the stack. Default: none.",
    examples: [{ environment: "dev" }],
  });

const clouds = z
  .record(cloudName, cloudSchema)
  .refine((map) => Object.keys(map).length > 0, {
    error: "is empty; write at least one cloud, for example aws: { provider: aws }",
  })
  .meta({
    description: "The clouds of the mesh by name. Required.",
    minProperties: 1,
    examples: [{ aws: { provider: "aws" } }],
  });

const transforms = z
  .strictObject({
    module: text(/^\S.*$/, "a path from Pulumi.yaml such as transforms.ts")
      .optional()
      .meta({
        description:
          "A module of yours, by its path from Pulumi.yaml, whose functions change what the program registers, by the kind of component: docs/transforms.md. Default: none.",
        examples: ["transforms.ts"],
      }),
  })
  .prefault({})
  .meta({ description: "Changes of yours, where the configuration has no setting." });

/** Everything that can be configured. */
export const configSchema = z.strictObject({
  trust,
  clouds,
  agents,
  network,
  policy,
  workloads,
  partners,
  observability,
  spire,
  images,
  tags,
  policyPack,
  transforms,
});

/** The configuration as written, with defaults filled in and before the clouds are settled. */
export type ConfigEntry = z.output<typeof configSchema>;
