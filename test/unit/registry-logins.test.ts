// Logins of registries: every pod of every stack names them where the stack has some, and nobody sees the passwords.
import * as pulumi from "@pulumi/pulumi";
import { dockerConfig, LOGINS_SECRET } from "../../components/kubernetes/registry-logins";
import { NETWORK_MODES } from "../../components/network/mode";
import { parseConfig } from "../../infra/config";
import { planOf } from "../../infra/plan/plan";
import { stackConfig } from "../support/stack";

const LOGINS = [
  { registry: "registry.example.org/team", username: "puller", password: "correct-horse" },
  { registry: "docker.io", username: "me", password: "battery-staple" },
];
const SECRET = "kubernetes:core/v1:Secret";
const CASES = [...NETWORK_MODES.map((mode) => ["dev", mode] as const), ["prod", "tailscale"] as const];

/** What the recorder has of secrets is what the engine encrypts. */
const clear = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && "4dabf18193072939515e22adb298388d" in inner
      ? "secret"
      : inner,
  );

describe.each(CASES)("with logins, stack %s in mode %s", (stack, mode) => {
  test("has them named by every pod, and there before it, for the state alone to keep", async () => {
    const plan = (await planOf(stack, { mode, changed: { images: { logins: LOGINS } } })).resources;
    const pods = plan.filter(({ inputs }) => inputs.spec?.template?.spec?.containers);
    expect(pods.length).toBeGreaterThan(20);
    for (const pod of pods) {
      expect([pod.name, pod.inputs.spec.template.spec.imagePullSecrets]).toEqual([
        pod.name,
        [{ name: LOGINS_SECRET }],
      ]);
      const secrets = plan.filter(
        ({ type, cloud, inputs }) =>
          type === SECRET &&
          cloud === pod.cloud &&
          inputs.metadata.name === LOGINS_SECRET &&
          inputs.metadata.namespace === pod.inputs.metadata.namespace,
      );
      expect([pod.name, secrets.length]).toEqual([pod.name, 1]);
      const [{ urn, inputs, provider, dependencies }] = secrets as [(typeof secrets)[number]];
      expect(pod.dependencies).toContain(urn);
      expect(provider).toBe(pod.provider);
      expect(dependencies.some((it) => it.includes("kubernetes:core/v1:Namespace"))).toBe(true);
      expect(inputs.type).toBe("kubernetes.io/dockerconfigjson");
      expect(pulumi.runtime.isRpcSecret(inputs.stringData)).toBe(true);
      expect(pulumi.runtime.unwrapRpcSecret(inputs.stringData)).toEqual({
        ".dockerconfigjson": dockerConfig(LOGINS),
      });
    }
    for (const { password } of LOGINS) expect(clear(plan)).not.toContain(password);
  });
});

test("without logins, no pod of stack dev names any", async () => {
  const plan = (await planOf("dev", { mode: "tailscale" })).resources;
  expect(plan.length).toBeGreaterThan(100);
  expect(JSON.stringify(plan)).not.toContain("imagePullSecrets");
  expect(JSON.stringify(plan)).not.toContain(LOGINS_SECRET);
});

test("the logins are what kubelets look for: Docker Hub under its old name, each with its own", () => {
  const auth = (text: string) => Buffer.from(text).toString("base64");
  expect(JSON.parse(dockerConfig(LOGINS))).toEqual({
    auths: {
      "registry.example.org/team": {
        username: "puller",
        password: "correct-horse",
        auth: auth("puller:correct-horse"),
      },
      "https://index.docker.io/v1/": {
        username: "me",
        password: "battery-staple",
        auth: auth("me:battery-staple"),
      },
    },
  });
});

/** What is said of `images` in a stack with these logins. */
function said(logins: unknown): string {
  try {
    parseConfig({ ...stackConfig("dev"), images: { logins } }, { stack: "dev", projectDir: "/nowhere" });
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  // `pulumi config set --path` makes numbers of digits.
  ["a number", [{ ...LOGINS[0], password: 271828 }], "logins[0].password: is not a text", "271828"],
  ["nothing", [{ ...LOGINS[0], password: "" }], "logins[0].password: is 0 characters long", undefined],
  [
    "no password",
    [{ registry: "a.example.org", username: "me" }],
    "logins[0].password: is missing",
    undefined,
  ],
  ["a URL", [{ ...LOGINS[0], registry: "https://a.example.org" }], "logins[0].registry: is", "correct-horse"],
  ["a registry twice", [LOGINS[1], LOGINS[1]], "docker.io is in the list already", "battery-staple"],
])("%s in the logins is refused, and no password shown", (_, logins, message, hidden) => {
  const text = said(logins);
  expect(text).toContain(`agentweave-mesh:images`);
  expect(text).toContain(message);
  if (hidden) expect(text).not.toContain(hidden);
});
