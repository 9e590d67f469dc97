import { parse } from "jsonc-parser";
import type { TailscaleSettings } from "../../../components/network/mode";
import type { ObservabilityPart } from "../../../components/network/part";
import { authKeyLife, keyPeriod } from "../../../components/network/tailscale/keys";
import { renderPolicy, tailnetPolicy } from "../../../components/network/tailscale/policy";
import { Tailnet } from "../../../components/network/tailscale/tailnet";
import { type Fakes, record, valueOf } from "../../../infra/plan/recorder";
import { MANAGED } from "../../support/tailnet";
import * as pulumi from "@pulumi/pulumi";

const TYPES = {
  acl: "tailscale:index/acl:Acl",
  dns: "tailscale:index/dnsPreferences:DnsPreferences",
  key: "tailscale:index/tailnetKey:TailnetKey",
  client: "tailscale:index/oauthClient:OauthClient",
  service: "tailscale:index/service:Service",
};
const CLOUDS = [
  { name: "aws", podCidr: "10.0.0.0/16", serviceCidr: "10.1.0.0/16" },
  { name: "gcp", podCidr: "10.2.0.0/16", serviceCidr: "10.3.0.0/16" },
];
const MESH = tailnetPolicy({ clouds: CLOUDS, callers: [], global: true });

function stand(settings: Partial<TailscaleSettings> = {}, fakes: Fakes = {}) {
  return record(() => new Tailnet("tailnet", { clouds: CLOUDS, settings: { ...MANAGED, ...settings } }), {
    outputs: {
      [TYPES.key]: { key: "tskey-auth-made" },
      [TYPES.client]: { key: "tskey-client-made" },
    },
    ...fakes,
  });
}

const keysOf = (tailnet: Tailnet) =>
  CLOUDS.flatMap(({ name }) => (["agents", "routers"] as const).map((kind) => tailnet.authKey(name, kind)));

describe("auth keys", () => {
  test("are one for each cloud and kind of device, with its tag, reusable, ephemeral and expiring", async () => {
    const [, recording] = await stand({ keys: { kind: "authKey", expiryDays: 30 } });
    const keys = recording.all(TYPES.key);
    expect(Object.fromEntries(keys.map(({ name, inputs }) => [name, inputs.tags]))).toEqual({
      "aws-agents-key": ["tag:agentweave-agent"],
      "aws-routers-key": ["tag:agentweave-aws-router"],
      "gcp-agents-key": ["tag:agentweave-agent"],
      "gcp-routers-key": ["tag:agentweave-gcp-router"],
    });
    for (const { inputs } of keys) {
      expect(inputs).toMatchObject({
        reusable: true,
        ephemeral: true,
        preauthorized: true,
        expiry: 30 * 24 * 60 * 60,
        recreateIfInvalid: "always",
      });
      // What Tailscale takes as a description.
      expect(inputs.description).toMatch(/^[a-z0-9 -]{1,50}$/);
    }
  });

  describe("of 90 days", () => {
    const DAY = 86_400_000;
    // The day on which a half of their life begins.
    const start = keyPeriod(90, Date.parse("2026-06-01")) * 45 * DAY;
    afterEach(() => jest.restoreAllMocks());

    test.each([
      ["stay as they are for half of their life", 0, 45 * DAY - 1, true],
      ["are others in the next half, by when the last ones are good still", 45 * DAY - 1, 45 * DAY, false],
      ["are others, too, at the end of a half that had an update on its first day only", 0, 45 * DAY, false],
    ])("%s", async (_what, before, after, same) => {
      const keysAt = async (time: number) => {
        jest.spyOn(Date, "now").mockReturnValue(start + time);
        const [, recording] = await stand({ keys: { kind: "authKey", expiryDays: 90 } });
        jest.restoreAllMocks();
        return recording.all(TYPES.key);
      };
      const [first, second] = [await keysAt(before), await keysAt(after)];
      const descriptions = (keys: typeof first) => keys.map(({ inputs }) => inputs.description as string);
      expect(descriptions(first).map((text, i) => text === descriptions(second)[i])).toEqual(
        first.map(() => same),
      );
      for (const key of second) expect(key.replaceOnChanges).toEqual(["description"]);
    });

    test.each<[string, TailscaleSettings, time?: number, end?: number]>([
      ["end when the next half does, if they were made at once", MANAGED, 0, 90 * DAY],
      ["end then at the earliest, if they were made last of all", MANAGED, 45 * DAY - 1, 90 * DAY],
      ["of the next half end half of their life later", MANAGED, 45 * DAY, 135 * DAY],
      ["have no end, being OAuth clients", { ...MANAGED, keys: { ...MANAGED.keys, kind: "oauthClient" } }],
      ["have one that is not known, being the configuration's own", { ...MANAGED, manageTailnet: false }],
    ])("%s", (_what, settings, time = 0, end) => {
      expect(authKeyLife(settings, start + time)?.endSeconds).toBe(end && (start + end) / 1000);
    });

    test("are others in each half, whatever the name of their cloud", async () => {
      const longest = { name: "a".repeat(20), podCidr: "10.0.0.0/16", serviceCidr: "10.1.0.0/16" };
      const settings = { ...MANAGED, keys: { kind: "authKey", expiryDays: 1 } as const };
      const [, recording] = await record(() => new Tailnet("tailnet", { clouds: [longest], settings }));
      for (const { inputs } of recording.all(TYPES.key)) {
        expect(inputs.description).toMatch(/^agentweave [0-9]{5} a{20} [a-z]+$/);
      }
    });
  });

  test("are made after the policy that knows their tags", async () => {
    const [, recording] = await stand();
    for (const key of recording.all(TYPES.key)) {
      expect(key.dependencies).toContain(recording.one(TYPES.acl).urn);
    }
  });

  test("are handed on as secrets", async () => {
    const [tailnet] = await stand();
    for (const key of keysOf(tailnet)) {
      expect(await pulumi.isSecret(key)).toBe(true);
      expect(await valueOf(key)).toBe("tskey-auth-made");
    }
  });

  test("there are none for a cloud that is not in the mesh", async () => {
    const [tailnet] = await stand();
    expect(() => tailnet.authKey("azure", "agents")).toThrow("no key for agents of azure");
  });
});

describe("observability", () => {
  const parts = new Map<string, ObservabilityPart>([
    ["aws", { home: true, scrapedBy: "pods", readsOthersBy: "apiServer" }],
    ["gcp", { home: false, scrapedBy: "apiServer" }],
  ]);
  const withParts = (settings: Partial<TailscaleSettings>) =>
    record(() => new Tailnet("tailnet", { clouds: CLOUDS, settings: { ...MANAGED, ...settings }, parts }), {
      outputs: { [TYPES.key]: { key: "tskey-auth-made" }, [TYPES.client]: { key: "tskey-client-made" } },
    });

  test("has a key of its own in each cloud, with its own tag", async () => {
    const [tailnet, recording] = await withParts({});
    for (const { name } of CLOUDS) {
      expect(recording.one(TYPES.key, `${name}-observability-key`).inputs.tags).toEqual([
        "tag:agentweave-observability",
      ]);
      expect(await pulumi.isSecret(tailnet.authKey(name, "observability"))).toBe(true);
    }
    expect(parse(recording.one(TYPES.acl).inputs.acl)).toEqual(
      tailnetPolicy({ clouds: CLOUDS, callers: [], global: true, parts }),
    );
  });

  test.each([
    ["the agents' key", {}, "tskey-agents"],
    ["a key of its own, if there is one,", { observabilityAuthKey: "tskey-seen" }, "tskey-seen"],
  ])("takes %s where the tailnet is not managed", async (_, more, key) => {
    const left = { manageTailnet: false, authKey: "tskey-agents", global: false, ...more };
    const [tailnet] = await withParts(left);
    expect(await valueOf(tailnet.authKey("gcp", "observability"))).toBe(key);
    expect(await valueOf(tailnet.authKey("gcp", "routers"))).toBe("tskey-agents");
    expect(await pulumi.isSecret(tailnet.authKey("gcp", "observability"))).toBe(true);
  });

  test("has no key where there is no observability", async () => {
    const [tailnet] = await stand();
    expect(() => tailnet.authKey("aws", "observability")).toThrow("no key for observability of aws");
  });
});

describe("OAuth clients", () => {
  test("may make keys for one tag and do nothing else", async () => {
    const [tailnet, recording] = await stand({ keys: { kind: "oauthClient", expiryDays: 90 } });
    expect(recording.all(TYPES.key)).toEqual([]);
    const clients = recording.all(TYPES.client);
    expect(Object.fromEntries(clients.map(({ name, inputs }) => [name, inputs.tags]))).toEqual({
      "aws-agents-key": ["tag:agentweave-agent"],
      "aws-routers-key": ["tag:agentweave-aws-router"],
      "gcp-agents-key": ["tag:agentweave-agent"],
      "gcp-routers-key": ["tag:agentweave-gcp-router"],
    });
    for (const { inputs } of clients) expect(inputs.scopes).toEqual(["auth_keys"]);
    for (const key of keysOf(tailnet)) {
      expect(await pulumi.isSecret(key)).toBe(true);
      expect(await valueOf(key)).toBe("tskey-client-made?ephemeral=true&preauthorized=true");
    }
  });
});

describe("the policy", () => {
  test("is written only over the one that every tailnet starts with, and reset to it in the end", async () => {
    const [, recording] = await stand();
    expect(recording.one(TYPES.acl).inputs).toEqual({
      acl: renderPolicy(MESH),
      overwriteExistingContent: false,
      resetAclOnDestroy: true,
    });
  });

  test("is merged into one that exists only when told to, and then never reset", async () => {
    const existing = '{\n  // the shop\n  "groups": { "group:ops": ["a@example.com"] },\n}\n';
    const calls = { "tailscale:index/getAcl:getAcl": { id: "acl", hujson: existing, json: "{}" } };
    const [, recording] = await stand({ policy: "merge" }, { calls });
    const { acl, ...rest } = recording.one(TYPES.acl).inputs;
    expect(rest).toEqual({ overwriteExistingContent: true, resetAclOnDestroy: false });
    expect(acl).toContain("// the shop");
    expect(parse(acl)).toEqual({ groups: { "group:ops": ["a@example.com"] }, ...MESH });
  });

  test("is neither read nor written if it is left to others", async () => {
    // A call of getAcl would fail here.
    const [, recording] = await stand({ policy: "leave" });
    expect(recording.all(TYPES.acl)).toEqual([]);
    expect(recording.all(TYPES.key)).toHaveLength(4);
  });

  test("lets in the callers of the configuration", async () => {
    const [, recording] = await stand({ callers: ["group:platform"], global: false });
    expect(parse(recording.one(TYPES.acl).inputs.acl)).toEqual(
      tailnetPolicy({ clouds: CLOUDS, callers: ["group:platform"], global: false }),
    );
  });
});

test("MagicDNS is turned on, and no other DNS setting is touched", async () => {
  const [, recording] = await stand();
  expect(recording.one(TYPES.dns).inputs).toEqual({ magicDns: true });
  expect(recording.resources.filter(({ type }) => /:Dns/.test(type))).toHaveLength(1);
});

test("the common name is a Tailscale Service at 8443, if it is wanted", async () => {
  const [tailnet, recording] = await stand();
  const service = recording.one(TYPES.service);
  expect(service.inputs).toMatchObject({
    name: "svc:agentweave-global",
    ports: ["tcp:8443"],
    tags: ["tag:agentweave-agent"],
  });
  expect(service.dependencies).toContain(recording.one(TYPES.acl).urn);
  expect(tailnet.settled).toHaveLength(3);
  const [, without] = await stand({ global: false });
  expect(without.all(TYPES.service)).toEqual([]);
});

describe("a tailnet that is not managed", () => {
  const left = { manageTailnet: false, authKey: "tskey-agents", global: false };

  test("has none of its resources made", async () => {
    const [tailnet, recording] = await stand(left);
    expect(recording.resources.filter(({ type }) => type.startsWith("tailscale:"))).toEqual([]);
    expect(recording.resources.filter(({ type }) => type === "pulumi:providers:tailscale")).toEqual([]);
    expect(tailnet.settled).toEqual([]);
  });

  test.each([
    [left, "tskey-agents"],
    [{ ...left, routerAuthKey: "tskey-routers" }, "tskey-routers"],
  ])("takes its keys from the configuration, as secrets", async (settings, routers) => {
    const [tailnet] = await stand(settings);
    const [agents, router] = keysOf(tailnet);
    expect(await valueOf(agents!)).toBe("tskey-agents");
    expect(await valueOf(router!)).toBe(routers);
    for (const key of keysOf(tailnet)) expect(await pulumi.isSecret(key)).toBe(true);
  });
});

test("no key is in the plain inputs of any resource", async () => {
  for (const keys of ["authKey", "oauthClient"] as const) {
    const [, recording] = await stand({ keys: { kind: keys, expiryDays: 90 } });
    for (const { inputs } of recording.resources) expect(JSON.stringify(inputs)).not.toMatch(/tskey-/);
  }
});
