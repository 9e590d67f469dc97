// What makes the content of each GeneratedConfigMap.
import type { Recipes } from "../kubernetes/generated-config-map-provider";
import { programContent } from "../kubernetes/node-bundle";
import { dashboardContent } from "../observability/grafana/files";
import { rulesContent } from "../observability/rules";
import { envoyContent } from "../workloads/envoy/text";
import { opaContent } from "../workloads/opa-files";

export const recipes: Recipes = {
  program: programContent,
  dashboards: dashboardContent,
  rules: rulesContent,
  opa: opaContent,
  envoy: envoyContent,
};
