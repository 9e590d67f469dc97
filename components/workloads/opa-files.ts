// The files of OPA in one cloud: policies from this repository, data from the mesh, and OPA's own configuration.
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { REQUEST_BYTES } from "../envoy/xds";
import { OPA_FILES } from "./opa-pod";
import { renderPolicyData, type PolicyTopology } from "./policy-data";

const POLICY_DIR = path.resolve(__dirname, "../../policies");

/** Largest question in bytes, also when it was compressed: the largest request that an agent takes, in base64, and what is said of it. */
const QUESTION_BYTES = Math.ceil(REQUEST_BYTES / 3) * 4 + 256 * 1024;

/** Where an OPA runs; every entry of its decision log says so. */
export interface OpaLocation {
  readonly cloud: string;
  readonly region: string;
}

/** OPA's configuration (https://www.openpolicyagent.org/docs/configuration). */
function opaConfig({ cloud, region }: OpaLocation) {
  return {
    labels: { cloud, region },
    decision_logs: { console: true },
    server: { decoding: { max_length: QUESTION_BYTES, gzip: { max_length: QUESTION_BYTES } } },
  };
}

/** Texts of OPA's files by name, as its ConfigMap has them. */
export function opaFiles(location: OpaLocation, topology: PolicyTopology): Record<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    [OPA_FILES.config]: json(opaConfig(location)),
    [OPA_FILES.data]: json({ agentweave: { mesh: renderPolicyData(topology) } }),
    ...Object.fromEntries(
      OPA_FILES.policies.map((file) => [file, readFileSync(path.join(POLICY_DIR, file), "utf8")]),
    ),
  };
}
