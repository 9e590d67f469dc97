// What stands in a configuration for something that its owner has yet to write: it can be planned, and must not be stood up.
import * as pulumi from "@pulumi/pulumi";
import { contains } from "../../components/network/cidr";
import type { CloudConfig } from "./clouds";
import { ConfigError, formatPath, type Problem } from "./problem";

/** Ranges for examples, which nobody has (RFC 5737). */
const DOCUMENTATION = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"];

/** A preview warns of each placeholder. Whatever makes something ends before its first resource, with a ConfigError that has them all. */
export function judgePlaceholders(stack: string, clouds: readonly CloudConfig[]): void {
  const found = placeholders(clouds);
  if (found.length === 0) return;
  if (!pulumi.runtime.isDryRun()) throw new ConfigError(stack, found);
  for (const { path, message } of found) void pulumi.log.warn(`${formatPath(path)}: ${message}`);
}

/** Placeholders that no cloud refuses, so that an `up` would lock out whoever runs it. */
function placeholders(clouds: readonly CloudConfig[]): Problem[] {
  return clouds.flatMap((cloud) => {
    const { name } = cloud;
    const [field, ranges, instead] =
      cloud.provider === "existing"
        ? [
            ["egressCidrs"],
            cloud.egressCidrs,
            "by which its pods go out, or Prometheus reaches no Kubernetes API",
          ]
        : [
            ["access", "ranges"],
            cloud.access.endpoint === "public" ? cloud.access.ranges : undefined,
            "of whoever runs Pulumi, or nobody reaches the Kubernetes API",
          ];
    return (ranges ?? []).flatMap((range, index) => {
      if (!DOCUMENTATION.some((block) => contains(block, range))) return [];
      const message = `${range} is of a block for documentation, which nobody has; before pulumi up, write the public addresses ${instead}`;
      return [{ path: ["clouds", name, ...field, index], message }];
    });
  });
}
