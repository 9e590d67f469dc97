// How images are assembled from programs of this machine when their registry cannot be reached: one table, by the last part of a repository.

import { existsSync, readdirSync } from "node:fs";
import { OLDER_SPIRE } from "./table";
import { PYTHON } from "./wheel";

/** One image: what is in it, and how it starts. Users, places and commands are those of the published image. */
export interface Recipe {
  /** Programs of the rehearsal by name, or files and directories of this machine by absolute path, by their places in the image. */
  readonly files: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** `uid` or `uid:gid`, or a name in /etc/passwd. */
  readonly user?: string;
  readonly workdir?: string;
  /** Text of files by their places. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Directories with modes of their own. */
  readonly directories?: Readonly<Record<string, number>>;
  /** Symbolic links for every command of /bin/busybox, beside it. */
  readonly busybox?: true;
  /** What it is, when it is not the published image's own program. */
  readonly standIn?: string;
}

const BUSYBOX = "/bin/busybox";
const isPythonLibrary = (name: string) => /^python3\.\d+$/.test(name);
/** Name of Node.js in the table: it is none of the programs that are built. */
export const NODE = "node";

/** An image that starts its one program. */
const one = (place: string, program: string, more: Omit<Recipe, "files" | "entrypoint"> = {}): Recipe => ({
  files: { [place]: program },
  entrypoint: [place],
  ...more,
});
/** A part of the control plane, which kubeadm starts by its name. */
const system = (name: string) => one(`/usr/local/bin/${name}`, name);
const csi = (name: string) =>
  one(`/${name}`, "csi-stand-in", {
    standIn:
      "a CSI node plugin of ours (rehearsal/programs/csi): the modules of the published ones are on no proxy",
  });
const spire = (name: string, user: string, version = ""): Recipe => {
  const place = `/opt/spire/bin/${name}`;
  return { ...one(place, `${name}${version}`, { user, workdir: "/opt/spire" }), entrypoint: [place, "run"] };
};
const SERVER_USER = "1000:1000";
const AGENT_USER = "0:0";

/** By the name of an image, or by name and minor version of one that is older than what the program names. */
export const RECIPES: Readonly<Record<string, Recipe>> = {
  "kube-apiserver": system("kube-apiserver"),
  "kube-controller-manager": system("kube-controller-manager"),
  "kube-scheduler": system("kube-scheduler"),
  "kube-proxy": system("kube-proxy"),
  etcd: system("etcd"),
  coredns: one("/coredns", "coredns", { user: "65532:65532" }),
  pause: {
    files: { [BUSYBOX]: BUSYBOX },
    // It waits for processes that lost their parent, and ends when it is told to.
    entrypoint: [BUSYBOX, "sh", "/pause"],
    texts: { "/pause": `trap 'exit 0' TERM INT\nwhile :; do\n  ${BUSYBOX} sleep 86400 &\n  wait\ndone\n` },
    user: "65535:65535",
    standIn: "a shell of busybox that waits: the published one is a program in C",
  },
  "spire-server": spire("spire-server", SERVER_USER),
  "spire-agent": spire("spire-agent", AGENT_USER),
  ...Object.fromEntries(
    OLDER_SPIRE.flatMap(({ minor }) => [
      [`spire-server:${minor}`, spire("spire-server", SERVER_USER, `-${minor}`)],
      [`spire-agent:${minor}`, spire("spire-agent", AGENT_USER, `-${minor}`)],
    ]),
  ),
  "oidc-discovery-provider": one("/opt/spire/bin/oidc-discovery-provider", "oidc-discovery-provider", {
    user: "1000:1000",
  }),
  // As root, by the published image; the pod names its user.
  "spire-controller-manager": one("/spire-controller-manager", "spire-controller-manager"),
  "spiffe-csi-driver": csi("spiffe-csi-driver"),
  "csi-node-driver-registrar": csi("csi-node-driver-registrar"),
  livenessprobe: csi("livenessprobe"),
  opa: one("/opa", "opa", { cmd: ["run"], user: "1000:1000" }),
  envoy: one("/usr/local/bin/envoy", "envoy", { user: "nonroot" }),
  // The example, with Debian's Python.
  "python-agent": {
    files: {
      [PYTHON]: PYTHON,
      ...Object.fromEntries(
        (existsSync("/usr/lib") ? readdirSync("/usr/lib") : [])
          .filter(isPythonLibrary)
          .map((name) => [`/usr/lib/${name}`, `/usr/lib/${name}`]),
      ),
      "/app": "python-agent",
    },
    entrypoint: [PYTHON, "/app/agent.py"],
    user: "65532",
  },
  // The agents and the programs that show the mesh bring their code along in a ConfigMap; the image is Node.js alone.
  node: { files: { "/usr/local/bin/node": NODE, [BUSYBOX]: BUSYBOX }, busybox: true, cmd: ["node"] },
  tailscale: {
    files: {
      ...Object.fromEntries(
        ["containerboot", "tailscaled", "tailscale"].map((name) => [`/usr/local/bin/${name}`, name]),
      ),
      [BUSYBOX]: BUSYBOX,
    },
    entrypoint: ["/usr/local/bin/containerboot"],
    directories: { "/var/lib": 0o755, "/var/run": 0o755 },
    busybox: true,
  },
  prometheus: one("/bin/prometheus", "prometheus", {
    cmd: ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
    user: "nobody",
    workdir: "/prometheus",
    directories: { "/prometheus": 0o777 },
  }),
  "opentelemetry-collector-k8s": one("/otelcol-k8s", "otelcol", { user: "10001" }),
  jaeger: one("/cmd/jaeger/jaeger-linux", "jaeger", { user: "10001" }),
  grafana: {
    files: { "/usr/local/bin/node": NODE },
    entrypoint: ["node", "/grafana.js"],
    texts: {
      "/grafana.js":
        'process.on("SIGTERM", () => process.exit());\n' +
        'require("http").createServer((_, answer) => answer.end("{}")).listen(process.env.GF_SERVER_HTTP_PORT ?? 3000);\n',
    },
    user: "472",
    standIn: "a server that answers {}, and so its health's probe: Grafana is on no registry of packages",
  },
  busybox: { files: { [BUSYBOX]: BUSYBOX }, busybox: true, cmd: ["sh"] },
};
