// The programs and images of the rehearsal: every image has a recipe, and what it is made of has the image's version.
import { readFileSync } from "node:fs";
import path from "node:path";
import { type ImageSettings, resolveImages } from "../../../components/images";
import { CONTROL_PLANE_IMAGES } from "../../../rehearsal/machine/node-files";
import { missingPackages } from "../../../rehearsal/programs/host";
import { placeOf } from "../../../rehearsal/programs/images";
import { NODE_VERSION } from "../../../rehearsal/programs/node";
import { NODE, RECIPES } from "../../../rehearsal/programs/recipes";
import { PROGRAMS } from "../../../rehearsal/programs/table";
import { stackConfig } from "../../support/stack";

const folder = path.resolve(__dirname, "../../../rehearsal/programs");
const versionOf = (name: string) => PROGRAMS.find(({ binary }) => binary === name)!.version;
const tagOf = (image: string) => image.slice(image.lastIndexOf(":") + 1);
const nameOf = (image: string) => /([^/:]+):[^/:]+$/.exec(image)![1]!;

/** As the rehearsal's stack names them: an image that is assembled has not the digest of the published one. */
const images = resolveImages(stackConfig("rehearsal")["images"] as ImageSettings);

/** The version of a Go module that one of the rehearsal's modules is built with. */
function moduleVersion(dir: string, module: string): string {
  const pins = readFileSync(path.join(folder, dir, "go.mod"), "utf8");
  return new RegExp(`\\s${module} v(\\S+)`).exec(pins)![1]!;
}

test.each([...Object.values(images), ...CONTROL_PLANE_IMAGES])("%s can be assembled", (image) => {
  expect(Object.keys(RECIPES)).toContain(nameOf(image));
});

test("a recipe is made of programs that can be had", () => {
  const sources = Object.values(RECIPES).flatMap(({ files }) => Object.values(files));
  const known = [...PROGRAMS.map(({ binary }) => binary), NODE];
  expect(sources.filter((source) => !path.isAbsolute(source) && !known.includes(source))).toEqual([]);
});

test("an image keeps its repository and tag in the rehearsal's registry", () => {
  expect(placeOf("ghcr.io/spiffe/spire-server:1.15.3")).toBe("spiffe/spire-server:1.15.3");
});

test.each([
  ["kubernetes", "k8s.io/kubernetes", "kubelet"],
  ["kubernetes", "go.etcd.io/etcd/server/v3", "etcd"],
  ["spire", "github.com/spiffe/spire", "spire-server"],
  ["spire-controller-manager", "github.com/spiffe/spire-controller-manager", "spire-controller-manager"],
  ["coredns", "github.com/coredns/coredns", "coredns"],
  ["kube-router", "github.com/cloudnativelabs/kube-router/v2", "kube-router"],
  ["opa", "github.com/open-policy-agent/opa", "opa"],
  ["crane", "github.com/google/go-containerregistry", "crane"],
  ["registry", "github.com/distribution/distribution/v3", "registry"],
  ["pulumi", "github.com/pulumi/pulumi/pkg/v3", "pulumi"],
  ["collector", "go.opentelemetry.io/collector/otelcol", "otelcol"],
  ["tailscale", "tailscale.com", "tailscale"],
  ["headscale", "github.com/juanfont/headscale", "headscale"],
])("the table and %s/go.mod name the same version of %s", (dir, module, program) => {
  expect(moduleVersion(dir, module)).toBe(versionOf(program));
});

test("Prometheus' release 3.x is its module's 0.30x, and Jaeger's 2.x its module's 1.(x + 63)", () => {
  const [, prometheus, patch] = moduleVersion("prometheus", "github.com/prometheus/prometheus").split(".");
  expect(versionOf("prometheus")).toBe(`3.${Number(prometheus) - 300}.${patch}`);
  const [, jaeger, fix] = moduleVersion("jaeger", "github.com/jaegertracing/jaeger").split(".");
  expect(versionOf("jaeger")).toBe(`2.${Number(jaeger) - 63}.${fix}`);
});

test("programs have the versions of the images that are assembled from them", () => {
  const pairs = Object.entries({
    "spire-server": images.spireServer,
    "spire-agent": images.spireAgent,
    "oidc-discovery-provider": images.oidcDiscoveryProvider,
    "spire-controller-manager": images.spireControllerManager,
    opa: images.opa,
    tailscale: images.tailscale,
    prometheus: images.prometheus,
    otelcol: images.otelCollector,
    jaeger: images.jaeger,
  });
  for (const [name, image] of pairs) {
    const version = tagOf(image).replace(/^v|-static$/g, "");
    expect(`${name} ${version}`).toBe(`${name} ${versionOf(name)}`);
  }
  expect(tagOf(images.agent)).toBe(`${NODE_VERSION}-bookworm-slim`);
});

test("every program has its module, and every release a whole checksum", () => {
  for (const { dir, release, wheel } of PROGRAMS) {
    const pins = wheel ? "requirements.txt" : "go.sum";
    expect(readFileSync(path.join(folder, dir, pins), "utf8")).toMatch(wheel ? /--hash=sha256:/ : / h1:/);
    if (release) expect(release.checksum).toMatch(/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/);
  }
});

test("packages are missing when their commands are, and of the CNI plugins one folder is enough", () => {
  expect(missingPackages(() => true)).toEqual({});
  expect(missingPackages((file) => file !== "nft" && file !== "/usr/lib/cni/ptp")).toEqual({
    nftables: ["nft"],
  });
  expect(missingPackages((file) => !file.endsWith("/ptp"))).toEqual({
    "containernetworking-plugins": ["/usr/lib/cni/ptp", "/opt/cni/bin/ptp"],
  });
});
