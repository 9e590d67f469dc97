// Every container image of the program, pinned in one place.

/** The images by key, each `registry/repository:tag`. Keys are what a stack's `images.overrides` may name. */
const PINNED = {
  /** Releases: https://github.com/spiffe/spire/releases (1.15.1 is the floor for security). */
  spireServer: "ghcr.io/spiffe/spire-server:1.15.3",
  spireAgent: "ghcr.io/spiffe/spire-agent:1.15.3",
  /** Releases: https://github.com/spiffe/spiffe-csi/releases. */
  spiffeCsiDriver: "ghcr.io/spiffe/spiffe-csi-driver:0.2.13",
  /** Sidecars of every CSI driver: https://kubernetes-csi.github.io/docs/sidecar-containers.html. */
  csiNodeDriverRegistrar: "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.18.0",
  csiLivenessProbe: "registry.k8s.io/sig-storage/livenessprobe:v2.20.0",
  /** Releases: https://github.com/open-policy-agent/opa/releases. The policy is tested with this version. */
  opa: "docker.io/openpolicyagent/opa:1.22.2-static",
  /** The stock Node image that runs the reference agent: https://hub.docker.com/_/node (an active LTS line). */
  agent: "docker.io/library/node:24.11.1-bookworm-slim",
  /** containerboot with tailscaled: https://hub.docker.com/r/tailscale/tailscale. The rehearsal builds both from the same version's source. */
  tailscale: "docker.io/tailscale/tailscale:v1.102.0",
  /** Releases: https://github.com/prometheus/prometheus/releases. The rehearsal runs the same version. */
  prometheus: "quay.io/prometheus/prometheus:v3.16.0",
  /** Releases: https://github.com/open-telemetry/opentelemetry-collector-releases/releases. */
  otelCollector:
    "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-k8s:0.165.0",
  /** Releases: https://github.com/jaegertracing/jaeger/releases. The rehearsal runs the same version. */
  jaeger: "docker.io/jaegertracing/jaeger:2.13.0",
  /** Releases: https://github.com/grafana/grafana/releases. */
  grafana: "docker.io/grafana/grafana:12.4.10",
} as const;

/** Key of an image of the program, for example `spireServer`. */
export type ImageKey = keyof typeof PINNED;

/** The image of every key, as a pod's `image` field takes it. */
export type Images = Readonly<Record<ImageKey, string>>;

/** All keys, in the order of the table above. */
export const IMAGE_KEYS = Object.keys(PINNED) as readonly ImageKey[];

/** Where a stack takes its images from. */
export interface ImageSettings {
  /**
   * Registry, with an optional path, that mirrors all images: `registry.example.com/mirror` gives
   * `registry.example.com/mirror/spiffe/spire-server:1.15.3`. Default: each image's public registry.
   */
  readonly registry?: string;
  /** Full references that replace single images, whatever `registry` says. */
  readonly overrides?: Readonly<Partial<Record<ImageKey, string>>>;
}

/**
 * Whether `reference` names one version for ever: by a digest (`…@sha256:…`), or by a tag other than `latest`.
 * A colon before the last slash belongs to the registry's port.
 */
export function isPinned(reference: string): boolean {
  if (reference.includes("@")) return /@sha256:[0-9a-f]{64}$/.test(reference);
  const tag = /:([\w][\w.-]{0,127})$/.exec(reference.slice(reference.lastIndexOf("/") + 1))?.[1];
  return tag !== undefined && tag !== "latest";
}

/**
 * The image of every key under `settings`.
 *
 * @throws an Error that lists every override which is not pinned or has a key that no image has.
 */
export function resolveImages(settings: ImageSettings = {}): Images {
  const overrides = settings.overrides ?? {};
  const problems = Object.entries(overrides).flatMap(([key, reference]) => {
    if (!(key in PINNED)) {
      return [`images.overrides.${key}: no such image; the keys are ${IMAGE_KEYS.join(", ")}`];
    }
    if (isPinned(reference)) return [];
    return [
      `images.overrides.${key}: "${reference}" is not pinned; write a tag other than "latest", or a digest`,
    ];
  });
  if (problems.length > 0) throw new Error(problems.join("\n"));

  const registry = settings.registry?.replace(/\/+$/, "");
  const mirrored = (reference: string) =>
    registry === undefined ? reference : `${registry}${reference.slice(reference.indexOf("/"))}`;
  return Object.fromEntries(
    IMAGE_KEYS.map((key) => [key, overrides[key] ?? mirrored(PINNED[key])]),
  ) as Images;
}
