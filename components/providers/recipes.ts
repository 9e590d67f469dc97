// What makes the content of each GeneratedConfigMap.
import type { Recipes } from "../kubernetes/generated-config-map-provider";
import { programContent } from "../kubernetes/node-bundle";
import { dashboardContent } from "../observability/grafana/files";
import { rulesContent } from "../observability/rules";

export const recipes: Recipes = {
  program: programContent,
  dashboards: dashboardContent,
  rules: rulesContent,
};
