// Where container images come from, in the configuration.
import { z } from "zod";
import { IMAGE_KEYS, isPinned, resolveImages, type ImageKey } from "../../components/images";
import { distinct, secret, text } from "./fields";

/** Name of a registry, with a path or without (distribution reference grammar); a last slash is let pass. */
const REGISTRY = /^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(\/[a-z0-9._-]+)*\/?$/;

/** An image by name, with a tag, a digest, both or none (distribution reference grammar). */
const REFERENCE =
  /^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(\/[a-z0-9._-]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$/;

/** The program's own images, by their tags. */
const pinned = resolveImages({ digests: false });

/** An image that names one version for ever. */
export function imageReference(example: string) {
  return z
    .string()
    .regex(REFERENCE, { error: `write an image with its tag or digest, such as ${example}`, abort: true })
    .refine(isPinned, {
      error: "the image is not pinned; write a tag other than latest, or a digest (@sha256:…)",
    });
}

function reference(key: ImageKey) {
  return imageReference("ghcr.io/spiffe/spire-server:1.15.3")
    .optional()
    .meta({
      description: `Image with its tag (not latest) or digest. Default: ${pinned[key]}, by its digest where components/images.ts has it.`,
    });
}

const overrides = Object.fromEntries(IMAGE_KEYS.map((key) => [key, reference(key)])) as Record<
  ImageKey,
  ReturnType<typeof reference>
>;

const login = z.strictObject({
  registry: text(REGISTRY, "a registry such as registry.example.org, without https://").meta({
    description: "Registry, or a part of it, as images name it; Docker Hub is docker.io.",
    examples: ["registry.example.org"],
  }),
  username: z
    .string()
    .min(1)
    .meta({ description: "Who pulls.", examples: ["mesh-puller"] }),
  password: secret().meta({ description: "Password or token. A secret." }),
});

/** Replacements for the images that the program pins. */
export const images = z
  .strictObject({
    registry: text(REGISTRY, "a registry such as registry.example.org/mirror, without https://")
      .optional()
      .meta({
        description: "Registry, with a path or without, that mirrors all images. Default: their public ones.",
        examples: ["registry.example.org/mirror"],
      }),
    digests: z.boolean().default(true).meta({
      description:
        "Whether images are pulled by the digests that components/images.ts has, from `registry` too: nodes then run what was published or nothing. false: by their tags alone, as a registry needs that copied single architectures, which have other digests. Default: true.",
    }),
    overrides: z.strictObject(overrides).default({}).meta({
      description: "Full references of single images, whatever `registry` and `digests` say. Default: none.",
    }),
    logins: z
      .array(login)
      .check(distinct(({ registry }) => registry))
      .default([])
      .meta({
        description:
          "Logins of registries that want one, for every pod of the mesh: each with its registry, username and password, a secret (pulumi config set --secret --path 'agentweave-mesh:images.logins[0].password'). Default: none.",
      }),
  })
  .prefault({})
  .meta({ description: "Where container images come from." });
