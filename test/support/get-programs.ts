// Gets what the tests of a project run, before any of them begins: a first build takes minutes. jest calls it once for each project.
import type { Config } from "jest";
import { programPath } from "./programs";

const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  clouds: ["pulumi"],
  envoy: ["envoy", "opa", "spire-server", "spire-agent", "oidc-discovery-provider"],
  observability: ["prometheus", "promtool"],
  policies: ["opa"],
  upgrade: ["1.13", "1.14"].flatMap((version) => [`spire-server-${version}`, `spire-agent-${version}`]),
};

export default async function getPrograms(
  _all: Config,
  { displayName }: { displayName: { name: string } },
): Promise<void> {
  for (const program of PROGRAMS[displayName.name]!) await programPath(program);
}
