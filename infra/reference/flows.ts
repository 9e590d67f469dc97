// The tables of flows in docs/network.md, made from the table in the code so that they say what the policies let pass.
import { type Flow, FLOWS } from "../../components/network/flows";
import { NETWORK_MODES } from "../../components/network/mode";
import { WHERES } from "../../components/network/part";
import { OIDC, SPIRE_PORTS } from "../../components/well-known";
import { PARTIES, type PartyDetails } from "../../components/network/parties";

/** Lines between which `npm run schema` writes the tables. */
const FLOWS_BEGIN = "<!-- flows:begin -->";
const FLOWS_END = "<!-- flows:end -->";

/** The formatter would write the tables otherwise. */
const UNFORMATTED = ["<!-- prettier-ignore-start -->", "<!-- prettier-ignore-end -->"] as const;

const CONFIGURED = {
  partners: "those of `partners.<name>.bundleEndpoint`",
  tracing: "that of `agents.tracing.endpoint`",
  loginServer: "that of `network.tailscale.loginServer`",
  datastore: "that of `clouds.*.spire.datastore`, 5432 with `managedDatastore`",
  keyService: "those of `clouds.*.spire.keyManager`",
  oidc: `${OIDC.httpsPort} with \`spire.oidc.tlsSecret\`, else ${OIDC.httpPort}`,
  bundleStore: "those of `clouds.*.spire.bundlePublisher`",
  peerObjects: "that of each other cloud's `clouds.*.spire.bundleUrl`, else 443",
  outside: "those of `metrics.remoteWrite` and `metrics.alertmanagers`",
  upstream: "those of `trust.root`",
  machines: `${SPIRE_PORTS.api} with \`spire.nodeAttestors\``,
  machineClouds: "443 with `aws_iid` and `gcp_iit`, 443 and 80 with `azure_imds`",
} as const;

function portsText({ ports, protocol }: Flow): string {
  const text =
    ports === "any"
      ? "any"
      : ports.map((port) => (typeof port === "number" ? port : CONFIGURED[port])).join(", ");
  return `${text} ${protocol}`;
}

function knownBy(details: PartyDetails): string {
  switch (details.kind) {
    case "everyPod":
      return "all pods of the mesh's namespaces";
    case "pods": {
      const labels = Object.entries(details.labels).map(([key, value]) => `\`${key}=${value}\``);
      return `namespace \`${details.namespace}\`, ${labels.join(", ")}`;
    }
    case "scraper":
      return "by `observability.metrics.scrape`: `pods`: Prometheus; `apiServer`: any address; `network`: subnet routers, or the ranges of the other clouds";
    case "workloads":
      return "the namespaces of `workloads`";
    case "anywhere":
      return "any address";
    case "outside":
      return "any address but link-local ones and those of the cluster's pods and Services";
    case "collector":
      return "the namespace of a URL `http://<service>.<namespace>.svc…`, else any address";
    case "peers": {
      const by = {
        tailnet: "nothing, being inside of the tailnet",
        tunnels: "the ranges of the other clouds",
        internet: "any address",
      };
      return NETWORK_MODES.map((mode) => `\`${mode}\`: ${by[details.over[mode]]}`).join("; ");
    }
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Markdown: a table of flows, then one of the parties and by what policies know them. */
export function flowsReference(): string {
  const flows = FLOWS.map((flow) => [
    PARTIES[flow.from].title,
    PARTIES[flow.to].title,
    portsText(flow),
    flow.modes?.map((mode) => `\`${mode}\``).join(", ") ?? "all",
    flow.where === undefined ? "all" : WHERES[flow.where].title,
    flow.why,
  ]);
  const parties = Object.values(PARTIES).map((details) => [details.title, knownBy(details)]);
  return [
    table(["from", "to", "ports", "modes", "clusters", "why"], flows),
    table(["party", "known to a NetworkPolicy by"], parties),
  ].join("\n\n");
}

/** `document` with the tables put anew between its two marks. Throws an Error if it has not both of them. */
export function withFlows(document: string): string {
  const begin = document.indexOf(FLOWS_BEGIN);
  const end = document.indexOf(FLOWS_END);
  if (begin < 0 || end < begin) throw new Error("no marks between which the flows belong");
  const [before, after] = UNFORMATTED;
  const text = `${before}\n<!-- \`npm run schema\` writes what follows -->\n\n${flowsReference()}\n\n${after}`;
  return `${document.slice(0, begin)}${FLOWS_BEGIN}\n\n${text}\n\n${document.slice(end)}`;
}
