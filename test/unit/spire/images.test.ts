import fc from "fast-check";
import { IMAGE_KEYS, isPinned, PINNED, resolveImages, type PinnedImage } from "../../../components/images";

describe("images", () => {
  test("are all pinned to one version", () => {
    for (const image of Object.values(resolveImages()))
      expect(`${image} ${isPinned(image)}`).toBe(`${image} true`);
  });

  test("of SPIRE's server and agent have the same version", () => {
    const { spireServer, spireAgent } = resolveImages({ digests: false });
    expect(spireAgent.split(":")[1]).toBe(spireServer.split(":")[1]);
  });

  test("all come from the given registry, with repository and tag unchanged", () => {
    const mirrored = resolveImages({ registry: "registry.example.com:5000/mirror/" });
    expect(mirrored.spireServer).toMatch(
      /^registry\.example\.com:5000\/mirror\/spiffe\/spire-server:1\.\d+\.\d+(@|$)/,
    );
    expect(mirrored.csiLivenessProbe).toMatch(
      /^registry\.example\.com:5000\/mirror\/sig-storage\/livenessprobe:v/,
    );
  });

  test("are named by tag and digest, from a mirror too, unless the stack wants tags alone", () => {
    const pins = Object.entries(PINNED as Readonly<Record<string, PinnedImage>>);
    expect(pins.filter(([, { digest }]) => digest).length).toBeGreaterThan(2);
    const all = (settings: object) => Object.entries(resolveImages(settings));
    const mirror = { registry: "mirror.example.com" };
    const place = (reference: string) => reference.replace(/^[^/]*/, mirror.registry);
    const whole = ({ reference, digest }: PinnedImage) => (digest ? `${reference}@${digest}` : reference);
    expect(all({})).toEqual(pins.map(([key, pin]) => [key, whole(pin)]));
    expect(all(mirror)).toEqual(pins.map(([key, pin]) => [key, place(whole(pin))]));
    expect(all({ digests: false })).toEqual(pins.map(([key, { reference }]) => [key, reference]));
    expect(all({ ...mirror, digests: false })).toEqual(
      pins.map(([key, { reference }]) => [key, place(reference)]),
    );
  });

  test("can be replaced one by one, whatever the registry", () => {
    const override = "example.com/spire-server:1.15.3-patched";
    const images = resolveImages({ registry: "mirror.example.com", overrides: { spireServer: override } });
    expect(images.spireServer).toBe(override);
    expect(images.spireAgent).toMatch(/^mirror\.example\.com\//);
  });

  test("that float or that nobody knows are refused, all in one message", () => {
    const overrides = { spireServer: "spire-server:latest", spireAgent: "localhost:5000/agent", typo: "a:1" };
    const resolve = () => resolveImages({ overrides });
    for (const key of Object.keys(overrides)) expect(resolve).toThrow(`images.overrides.${key}:`);
  });

  test("have a value for every key", () => {
    expect(Object.keys(resolveImages()).sort()).toEqual([...IMAGE_KEYS].sort());
  });
});

describe("a reference is pinned", () => {
  const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
  test.each([`a@${digest}`, `a:latest@${digest}`, "a:1", "localhost:5000/a/b:v1.2.3-rc_1"])(
    "by %s",
    (image) => {
      expect(isPinned(image)).toBe(true);
    },
  );

  test.each(["a", "a:latest", "localhost:5000/a", "a:", "a@sha256:12", `a:${"x".repeat(129)}`, ""])(
    "but not by %p",
    (image) => expect(isPinned(image)).toBe(false),
  );

  test("by no reference without colon", () => {
    fc.assert(fc.property(fc.string(), (text) => !isPinned(text.replaceAll(":", ""))));
  });
});
