// Which pods of the rehearsal run as local processes: the one table. Pods of every other image are simulated by kwok.
import { SPIRE_SERVER } from "../components/well-known";
import type { Binaries } from "./build";

/** What is in Tailscale's image; built for rehearsals of a tailnet alone. */
export const TAILSCALE_PROGRAMS = ["containerboot", "tailscaled", "tailscale"] as const;

/** What shows the mesh, beside the programs of this repository. */
export const OBSERVABILITY_PROGRAMS = ["prometheus", "jaeger", "otelcol"] as const;

/** How the containers of some images run; see Image in rehearsal/cloud/internal/config. */
export interface LocalImage {
  /** Regular expression (RE2) on the container's image, whatever its registry and version. */
  match: string;
  /** What containers without a command start, by its path in the container. */
  entrypoint?: string[];
  /** Programs by their path in the container. */
  executables: Record<string, string | undefined>;
}

/** An image that starts its one program. */
function entrypoint(path: string, program: string | undefined): Omit<LocalImage, "match"> {
  return { entrypoint: [path], executables: { [path]: program } };
}

/** The table, with the programs of this machine. Pods of an image that has no program here are simulated. */
export function images(programs: Partial<Binaries>): LocalImage[] {
  const table: LocalImage[] = [
    { match: "/spire-server[:@]", executables: { [SPIRE_SERVER.binary]: programs["spire-server"] } },
    { match: "/spire-agent[:@]", executables: { "/opt/spire/bin/spire-agent": programs["spire-agent"] } },
    { match: "/opa[:@]", executables: { "/opa": programs["opa"] } },
    {
      match: "/tailscale[:@]",
      entrypoint: ["/usr/local/bin/containerboot"],
      // containerboot starts the others by their names, which are on a container's PATH.
      executables: Object.fromEntries(
        TAILSCALE_PROGRAMS.map((name) => [`/usr/local/bin/${name}`, programs[name]]),
      ),
    },
    { match: "/prometheus[:@]", ...entrypoint("/bin/prometheus", programs["prometheus"]) },
    { match: "/jaeger[:@]", ...entrypoint("/cmd/jaeger/jaeger-linux", programs["jaeger"]) },
    { match: "/opentelemetry-collector-k8s[:@]", ...entrypoint("/otelcol-k8s", programs["otelcol"]) },
    // The agents and the programs that show the mesh bring their code along in a ConfigMap; the image is Node.js alone.
    { match: "/node[:@]", executables: { "/usr/local/bin/node": process.execPath } },
  ];
  return table.filter(({ executables }) => Object.values(executables).some(Boolean));
}
