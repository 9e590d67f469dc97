// Pulumi keeps the provider of ScrapeToken in the state as text, and loads that in plain Node.
import { KubernetesApi } from "../../support/kubernetes-api";
import { call, modulesOf, ROOT, serialize } from "../../support/serialized";

jest.setTimeout(60_000);
const PROVIDER = "components/observability/scrape-token-provider#scrapeTokenProvider";
const texts = serialize([PROVIDER]);
const text = texts["scrapeTokenProvider"]!;

describe("The serialized provider of ScrapeToken", () => {
  test("does not change from run to run, and holds nothing of the machine or its environment", () => {
    expect(serialize([PROVIDER])).toEqual(texts);
    expect(text).not.toMatch(/hunter2/);
    expect(text).not.toContain(ROOT);
  });

  test("needs no module but Node's own and the Kubernetes client", () => {
    expect(modulesOf(text)).toEqual(["@kubernetes/client-node"]);
  });

  test("checks its inputs", () => {
    const { result } = call(text, "check", [{}, {}]) as { result: { failures: { property: string }[] } };
    expect(result.failures.map(({ property }) => property)).toContain("secret");
  });

  test("says that an API server does not answer, and nothing of a kubeconfig", async () => {
    const api = await KubernetesApi.start();
    const kubeconfig = api.kubeconfig(undefined, "hunter2");
    await api.stop();
    const inputs = {
      cloud: "gcp",
      kubeconfig,
      account: { namespace: "observability", name: "prometheus" },
      home: "aws",
      homeKubeconfig: kubeconfig,
      secret: { namespace: "observability", name: "prometheus-cluster-gcp" },
      lifetimeSeconds: 600,
      timeoutSeconds: 1,
    };
    const { error } = call(text, "create", [inputs]) as { error: string };
    expect(error).toMatch(/^gcp: the Kubernetes API cannot be reached to make a token .*ECONNREFUSED/);
    expect(error).not.toContain("hunter2");
  });
});
