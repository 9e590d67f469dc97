// What rules and dashboards of a mesh of three clouds follow from, for tests of both.
import type { RulesArgs } from "../../components/observability/rules";

export const RULES_ARGS: RulesArgs = {
  clouds: [
    { name: "aws", region: "us-east-1" },
    { name: "gcp", region: "us-central1" },
    { name: "azure", region: "eastus" },
  ],
  home: "aws",
  networkMode: "tailscale",
  intervalSeconds: 30,
  refreshSeconds: 300,
  svidTtlSeconds: 3600,
  caTtlSeconds: 604_800,
  scrapeTokenSeconds: 86_400,
};
