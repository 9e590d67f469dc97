// Pulumi keeps a provider's code in the state as text. What holds for the source must hold for that text, loaded by plain Node.
import { createServer } from "node:net";
import { once } from "node:events";
import { call, modulesOf, ROOT, serialize } from "../../support/serialized";

jest.setTimeout(60_000);

const names = ["trustBundleProvider", "federationRelationshipProvider", "registrationEntryProvider"];
const providers = [
  "components/trust/trust-bundle#trustBundleProvider",
  "components/trust/federation-relationship#federationRelationshipProvider",
  "components/trust/registration-entry#registrationEntryProvider",
];
const texts = serialize(providers);
const target = {
  cloud: "aws",
  trustDomain: "aws.example.org",
  namespace: "spire",
  pod: "spire-server-0",
  container: "spire-server",
};

describe("The serialized providers", () => {
  it("do not change from run to run, so that an up without a change is one", () => {
    expect(serialize(providers)).toEqual(texts);
    expect(Object.keys(texts)).toEqual(names);
  });

  it.each(names)("hold nothing of the machine or its environment: %s", (name) => {
    expect(texts[name]).not.toMatch(/hunter2/);
    expect(texts[name]).not.toContain(ROOT);
  });

  it("need no module but Node's own and the Kubernetes client", () => {
    const modules = new Set(Object.values(texts).flatMap(modulesOf));
    expect([...modules].sort()).toEqual(["@kubernetes/client-node", "crypto", "stream"]);
  });

  it.each(names)("have every method of a provider when plain Node loads them: %s", (name) => {
    const failures = call(texts[name]!, "check", [{}, {}]) as {
      result: { failures: { property: string }[] };
    };
    expect(failures.result.failures.map(({ property }) => property)).toContain("target");
  });

  it("keep an error's words and its cloud, and never quote a kubeconfig that cannot be parsed", () => {
    const inputs = { target, kubeconfig: "token: [hunter2", timeoutSeconds: 1 };
    expect(call(texts["trustBundleProvider"]!, "create", [inputs])).toEqual({
      error:
        "aws: its kubeconfig cannot be read. It must be YAML or JSON with clusters, users, contexts and current-context.",
    });
  });

  it("reach for the cluster with the Kubernetes client, and say that an API server does not answer", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as { port: number };
    closed.close();
    await once(closed, "close");
    const named = (name: string, key: string, value: object) => ({ name, [key]: value });
    const kubeconfig = JSON.stringify({
      clusters: [named("c", "cluster", { server: `https://127.0.0.1:${port}` })],
      users: [named("u", "user", { token: "hunter2" })],
      contexts: [named("x", "context", { cluster: "c", user: "u" })],
      "current-context": "x",
    });
    const { error } = call(texts["trustBundleProvider"]!, "create", [
      { target, kubeconfig, timeoutSeconds: 1 },
    ]) as { error: string };
    expect(error).toMatch(
      /^aws: the Kubernetes API cannot be reached for exec in pod spire\/spire-server-0: .*ECONNREFUSED.* \(gave up waiting for spire-server healthcheck after \d s\)$/,
    );
    expect(error).not.toContain("hunter2");
  });
});
