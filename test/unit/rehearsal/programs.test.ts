// The programs that the rehearsal runs in place of images: of the same versions, at the same paths.
import { readFileSync } from "node:fs";
import path from "node:path";
import { resolveImages } from "../../../components/images";
import { images } from "../../../rehearsal/images";

/** The version of a Go module that one of the rehearsal's modules is built with. */
function moduleVersion(dir: string, module: string): string {
  const file = path.resolve(__dirname, "../../../rehearsal", dir, "go.mod");
  return new RegExp(`\\s${module} v(\\S+)`).exec(readFileSync(file, "utf8"))![1]!;
}
const tagOf = (image: string) => image.slice(image.lastIndexOf(":") + 1);

describe("the programs of the rehearsal have the versions of the images", () => {
  const { prometheus, jaeger, otelCollector, tailscale } = resolveImages();

  test("Prometheus, whose release 3.16.0 is its module's 0.316.0", () => {
    const [, minor, patch] = moduleVersion(
      "observability/prometheus",
      "github.com/prometheus/prometheus",
    ).split(".");
    expect(tagOf(prometheus)).toBe(`v3.${Number(minor) - 300}.${patch}`);
  });

  test("Jaeger, whose release 2.13.0 is its module's 1.76.0", () => {
    const [major, minor, patch] = moduleVersion(
      "observability/jaeger",
      "github.com/jaegertracing/jaeger",
    ).split(".");
    expect(major).toBe("1");
    expect(tagOf(jaeger)).toBe(`2.${Number(minor) - 63}.${patch}`);
  });

  test("the OpenTelemetry collector", () => {
    expect(tagOf(otelCollector)).toBe(
      moduleVersion("observability/collector", "go.opentelemetry.io/collector/otelcol"),
    );
  });

  test("Tailscale", () => {
    expect(tagOf(tailscale)).toBe(`v${moduleVersion("tailnet", "tailscale.com")}`);
  });
});

test("an image of whatever registry runs as the program that was found for it, others are simulated", () => {
  const table = images({ prometheus: "/bin/p", jaeger: "/bin/j", otelcol: "/bin/o" });
  const found = (image: string) => table.find(({ match }) => new RegExp(match).test(image));
  const mirrored = resolveImages({ registry: "registry.example.com/mirror" });
  expect(found(mirrored.prometheus)).toMatchObject({
    entrypoint: ["/bin/prometheus"],
    executables: { "/bin/prometheus": "/bin/p" },
  });
  expect(found(mirrored.jaeger)!.executables[found(mirrored.jaeger)!.entrypoint![0]!]).toBe("/bin/j");
  expect(found(mirrored.otelCollector)!.executables).toEqual({ "/otelcol-k8s": "/bin/o" });
  expect(found(mirrored.grafana)).toBeUndefined();
  expect(found(mirrored.opa)).toBeUndefined();
});
