// Whether pinned images are there still, are what was pinned, and are the newest of their line.
import type { PinnedImage } from "../components/images";
import { CannotAsk, type Registry, type Repository } from "./registry";

/** What was found of one image. */
export interface Finding {
  /** Pods that have the image cannot start (`missing`), or its tag is another image now (`moved`): these are errors. */
  readonly state: "fine" | "older" | "missing" | "moved" | "not asked";
  /** One sentence for each thing that is to be known. */
  readonly says: readonly string[];
}

/** `registry/repository:tag`, taken apart. */
export function parts(reference: string): { readonly repository: Repository; readonly tag: string } {
  const [, registry, name, tag] = /^([^/]+)\/(.+):([^:/@]+)$/.exec(reference)!;
  return { repository: { registry: registry!, name: name! }, tag: tag! };
}

interface Version {
  /** What is around the numbers: `v` before, `-static` after. */
  readonly form: string;
  readonly numbers: readonly [major: number, minor: number, patch: number];
}

function versionOf(tag: string): Version | undefined {
  const found = /^(v?)(\d+)\.(\d+)\.(\d+)(-[a-z][\w.-]*)?$/.exec(tag);
  if (!found) return undefined;
  const [, before, major, minor, patch, after = ""] = found;
  return { form: `${before}*${after}`, numbers: [Number(major), Number(minor), Number(patch)] };
}

/** The newest of `tags` that is newer than `tag`, of the same line and the same kind of image. */
export function newer(
  tag: string,
  tags: readonly string[],
  line: PinnedImage["line"] = "minor",
): string | undefined {
  const own = versionOf(tag);
  if (own === undefined) return undefined;
  const fixed = line === "major" ? 1 : 2;
  const after = (a: Version, b: Version) => {
    const place = a.numbers.findIndex((number, index) => number !== b.numbers[index]);
    return place === -1 ? 0 : a.numbers[place]! - b.numbers[place]!;
  };
  return tags
    .flatMap((name) => {
      const version = versionOf(name);
      const ofLine = version?.numbers.slice(0, fixed).every((number, index) => number === own.numbers[index]);
      return version && version.form === own.form && ofLine && after(version, own) > 0
        ? [{ name, version }]
        : [];
    })
    .sort((a, b) => after(b.version, a.version))[0]?.name;
}

/** Asks an image's registry of it. */
export async function check(image: PinnedImage, registry: Registry): Promise<Finding> {
  const { repository, tag } = parts(image.reference);
  try {
    const there = await registry.digest(repository, tag);
    if (there === undefined) return { state: "missing", says: [`has no tag ${tag}`] };
    const { digest: pinned } = image;
    if (pinned !== undefined && there !== pinned) {
      const kept = (await registry.digest(repository, pinned)) !== undefined;
      return kept
        ? { state: "moved", says: [`${tag} is ${there} now; pods still get ${pinned}`] }
        : { state: "missing", says: [`has no ${pinned} any more; ${tag} is ${there} now`] };
    }
    const says = pinned === undefined ? [`no digest is pinned; ${tag} is ${there}`] : [];
    const newest = newer(tag, await registry.tags(repository), image.line);
    return newest === undefined
      ? { state: "fine", says }
      : { state: "older", says: [`${newest} is newer`, ...says] };
  } catch (error) {
    if (!(error instanceof CannotAsk)) throw error;
    return { state: "not asked", says: [error.message] };
  }
}

/** 1 when an image is missing or has moved; else 2 when one could not be asked of, so that nothing is known of it; else 0. */
export function exitCode(findings: readonly Finding[]): 0 | 1 | 2 {
  const states = new Set(findings.map(({ state }) => state));
  return states.has("missing") || states.has("moved") ? 1 : states.has("not asked") ? 2 : 0;
}
