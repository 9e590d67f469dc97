// From where a cluster's API server can be reached, in the configuration.
import { z } from "zod";
import { contains } from "../../../components/network/cidr";
import { cidr, distinct } from "../fields";
import type { Problem } from "../problem";
import type { Draft } from "./spec";

/** Ranges of which no packet comes from the internet (RFC 6890; RFC 5771). */
const NOT_PUBLIC = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "224.0.0.0/3",
];

/** Whether no packet of the range comes from the internet. */
export const isNotPublic = (range: string) => NOT_PUBLIC.some((reserved) => contains(reserved, range));

/** `privately` says where the provider's private endpoint is reached, `more` what else there is to know of it. */
export function access(privately: string, more = "") {
  return z
    .strictObject({
      endpoint: z
        .enum(["public", "private"])
        .default("public")
        .meta({
          description: `Where the Kubernetes API answers. public: at an address of the internet; private: ${privately}, so that Pulumi must run there. ${more}Default: public.`,
        }),
      ranges: z
        .array(cidr())
        .min(1)
        .check(distinct((range) => range))
        .optional()
        .meta({
          description:
            "Ranges from which the Kubernetes API can be reached, credentials still needed: those of whoever runs Pulumi and kubectl. With endpoint public, the addresses of observability.home are added. Default: everywhere with public, the cluster's own network with private.",
          examples: [["203.0.113.0/24"]],
        }),
    })
    .prefault({})
    .meta({ description: "From where the cluster's API server can be reached." });
}

type Access = z.output<ReturnType<typeof access>>;

/** Ranges that do not suit the endpoint, with paths from the cloud's entry. */
export function accessProblems({
  access: { endpoint, ranges = [] } = {},
}: {
  readonly access?: Draft<Access>;
}): Problem[] {
  if (endpoint !== "public") return [];
  return ranges.flatMap((range, index) =>
    // What could not be used has left a hole.
    range !== undefined && isNotPublic(range)
      ? [
          {
            path: ["access", "ranges", index],
            message: `${range} is no range of the internet, from which a public endpoint is reached; write the public addresses of whoever runs Pulumi, or endpoint: private`,
          },
        ]
      : [],
  );
}
