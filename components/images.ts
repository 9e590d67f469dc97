// Every container image of the program, pinned in one place.

import { agentProblem } from "./spire/upgrade";

/** An image as its publisher has it. */
export interface PinnedImage {
  /** `registry/repository:tag`. */
  readonly reference: string;
  /**
   * `sha256:…` of what the tag names: an index of all its architectures. Left out where it is not known for sure, from the publisher or from two
   * owners of public files who do not know each other; `npm run images` tells it wherever the registry can be asked.
   */
  readonly digest?: string;
  /** Part of the version within which a newer release mends and does not change: `minor`, or `major` where fixes come as minors. Default `minor`. */
  readonly line?: "major" | "minor";
}

/** The images by key. Keys are what a stack's `images.overrides` may name. */
export const PINNED = {
  /** Releases: https://github.com/spiffe/spire/releases (1.15.1 is the floor for security). */
  spireServer: { reference: "ghcr.io/spiffe/spire-server:1.15.3" },
  spireAgent: { reference: "ghcr.io/spiffe/spire-agent:1.15.3" },
  /** SPIRE's OIDC discovery provider, where a cloud has `spire.oidc`: of the same releases. */
  oidcDiscoveryProvider: { reference: "ghcr.io/spiffe/oidc-discovery-provider:1.15.3" },
  /**
   * Beside SPIRE servers, where a cloud has `spire.controllerManager`: https://github.com/spiffe/spire-controller-manager/releases. The tests run the same
   * version, the newest that could be had as a Go module.
   */
  spireControllerManager: { reference: "ghcr.io/spiffe/spire-controller-manager:0.6.4" },
  /** Releases: https://github.com/spiffe/spiffe-csi/releases. */
  spiffeCsiDriver: { reference: "ghcr.io/spiffe/spiffe-csi-driver:0.2.13" },
  /** Sidecars of every CSI driver: https://kubernetes-csi.github.io/docs/sidecar-containers.html. */
  csiNodeDriverRegistrar: { reference: "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.18.0" },
  csiLivenessProbe: { reference: "registry.k8s.io/sig-storage/livenessprobe:v2.20.0" },
  /** Releases: https://github.com/open-policy-agent/opa/releases. The policy is tested with this version. */
  opa: { reference: "docker.io/openpolicyagent/opa:1.22.4-static" },
  /** Envoy beside the agents: https://github.com/envoyproxy/envoy/releases. The rehearsal runs the same version. */
  envoy: { reference: "docker.io/envoyproxy/envoy:distroless-v1.40.0" },
  /**
   * The stock Node image that runs the reference agent: https://hub.docker.com/_/node (a line with long-term support, whose fixes come as minors). Its
   * tags move: the image is built anew whenever Debian's is. The digest is that of the tag since October 2026.
   */
  agent: {
    reference: "docker.io/library/node:24.21.0-bookworm-slim",
    digest: "sha256:d6aa754f16b3197301076f047b5def2f02ea1dbbc2ca920407d46d7ec7f87b20",
    line: "major",
  },
  /**
   * containerboot with tailscaled: https://hub.docker.com/r/tailscale/tailscale. Not every release has an image: of 1.102, the first is 1.102.2. The
   * rehearsal builds both from the same version's source.
   */
  tailscale: {
    reference: "docker.io/tailscale/tailscale:v1.102.5",
    digest: "sha256:c507f3a2a6ab1cabd8d809b98edeb41edbd5c3fb6ad9632ffd098b4c7d0b4065",
  },
  /** Releases: https://github.com/prometheus/prometheus/releases. The rehearsal runs the same version. */
  prometheus: { reference: "quay.io/prometheus/prometheus:v3.16.0" },
  /** Releases: https://github.com/open-telemetry/opentelemetry-collector-releases/releases. */
  otelCollector: {
    reference: "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-k8s:0.165.0",
  },
  /** Releases: https://github.com/jaegertracing/jaeger/releases. The rehearsal runs the same version. */
  jaeger: { reference: "docker.io/jaegertracing/jaeger:2.13.0" },
  /** Releases: https://github.com/grafana/grafana/releases. */
  grafana: {
    reference: "docker.io/grafana/grafana:12.4.12",
    digest: "sha256:83be3e511ede559bee80e2215bb1987cb1246075461cb961beb515b0341e7aea",
  },
} as const satisfies Readonly<Record<string, PinnedImage>>;

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
  /**
   * Whether images whose digest is pinned are pulled by it, `…:tag@sha256:…`, from a mirror too: nodes then run what was published or nothing. A copy of
   * single architectures has another digest than the index of all: a registry with such copies needs false, and the tag alone decides. Default true.
   */
  readonly digests?: boolean;
  /** Full references that replace single images, whatever `registry` and `digests` say. */
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
  const { digests = true, overrides = {} } = settings;
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
  const published = (key: ImageKey) => {
    const { reference, digest }: PinnedImage = PINNED[key];
    const place =
      registry === undefined ? reference : `${registry}${reference.slice(reference.indexOf("/"))}`;
    return digests && digest !== undefined ? `${place}@${digest}` : place;
  };
  const images = Object.fromEntries(
    IMAGE_KEYS.map((key) => [key, overrides[key] ?? published(key)]),
  ) as Images;
  const problem = agentProblem(images.spireServer, images.spireAgent);
  if (problem) throw new Error(problem);
  return images;
}
