// The provider of ScrapeToken against stand-ins for the API servers of two clouds, on loopback.
import {
  type ScrapeTokenInputs,
  scrapeTokenProvider as provider,
} from "../../../components/observability/scrape/token-provider";
import { UNKNOWN } from "../../../components/providers/properties";
import { KubernetesApi, OPERATOR } from "../../support/kubernetes-api";

const SECRET = "prometheus-cluster-gcp";
let gcp: KubernetesApi;
let aws: KubernetesApi;

// It is large, and the provider loads it with its first request.
beforeAll(() => import("@kubernetes/client-node"), 5 * 60_000);
beforeEach(async () => {
  gcp = await KubernetesApi.start();
  aws = await KubernetesApi.start();
});
afterEach(async () => {
  await gcp.stop();
  await aws.stop();
});

const inputs = (more: Partial<ScrapeTokenInputs> = {}): ScrapeTokenInputs => ({
  cloud: "gcp",
  kubeconfig: gcp.kubeconfig(),
  account: { namespace: "observability", name: "prometheus" },
  accountUid: "uid",
  home: "aws",
  homeKubeconfig: aws.kubeconfig(),
  secret: { namespace: "observability", name: SECRET },
  lifetimeSeconds: 86_400,
  timeoutSeconds: 10,
  ...more,
});
const token = () => aws.secret(SECRET, "token")!;
const made = () => gcp.asked.filter(({ path }) => path.endsWith("/token"));

/** The message of a failure, in which no secret may be. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: Error) => thrown,
  );
  const text = `${error.message} ${JSON.stringify(error)}`;
  for (const secret of [OPERATOR, ...gcp.tokens]) expect(text).not.toContain(secret);
  expect(text).not.toContain("BEGIN CERTIFICATE");
  return error.message;
}

describe("a token for Prometheus", () => {
  test("is made in one cloud and written down in the other", async () => {
    const { id } = await provider.create(inputs());
    expect(id).toBe("aws/observability/prometheus-cluster-gcp");
    expect(gcp.tokens).toContain(token());
    expect(Object.keys(aws.secrets.get(SECRET)!)).toEqual(["token"]);
    expect(made().map(({ body }) => body)).toEqual([
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { audiences: [], expirationSeconds: 86_400 },
      },
    ]);
  });

  test("is in nothing that the engine is told", async () => {
    const { id, outs } = await provider.create(inputs());
    const read = await provider.read(id, outs);
    const { outs: updated } = await provider.update(id, outs, inputs());
    const told = JSON.stringify([id, outs, read, updated]);
    for (const secret of gcp.tokens) expect(told).not.toContain(secret);
    expect(told).not.toContain("BEGIN CERTIFICATE");
    expect(outs).toEqual(inputs());
  });

  test("takes the place of an earlier one", async () => {
    const { id, outs } = await provider.create(inputs());
    const before = token();
    await provider.update(id, outs, inputs());
    expect(token()).not.toBe(before);
    expect(gcp.tokens).toContain(token());
  });

  test("waits for an account that is not there yet, and for an API server that is busy", async () => {
    gcp.refusals.push(404, 503);
    aws.refusals.push(429);
    await provider.create(inputs());
    expect(gcp.tokens).toContain(token());
  });

  test("does not wait for rights that the kubeconfig's user does not have, and says whose they are", async () => {
    gcp.refusals.push(403);
    expect(await failure(provider.create(inputs()))).toBe(
      "gcp: the Kubernetes API answered HTTP 403 when asked to make a token of ServiceAccount observability/prometheus. Check that the kubeconfig's user may do that.",
    );
    aws.refusals.push(422);
    expect(await failure(provider.create(inputs()))).toBe(
      "aws: the Kubernetes API answered HTTP 422 when asked to write Secret observability/prometheus-cluster-gcp.",
    );
  });

  test("is given up when the time is over", async () => {
    gcp.hasAccount = false;
    expect(await failure(provider.create(inputs({ timeoutSeconds: 0.1 })))).toMatch(
      /^gcp: the Kubernetes API answered HTTP 404 .* \(gave up waiting for a token for Prometheus after \d s\)$/,
    );
  });

  test("is not sent to who cannot prove to be the API server", async () => {
    const other = Buffer.from(aws.ca).toString("base64");
    const kubeconfig = gcp.kubeconfig({ "certificate-authority-data": other });
    expect(await failure(provider.create(inputs({ kubeconfig })))).toMatch(/^gcp: .*cannot be reached/);
    expect(gcp.asked).toEqual([]);
  });
});

describe("a refresh", () => {
  const refresh = async (more: Partial<ScrapeTokenInputs> = {}) => {
    const state = inputs(more);
    return provider.read("id", state);
  };
  beforeEach(() => provider.create(inputs()));

  test("leaves a token that is good, and makes none", async () => {
    expect(await refresh()).toEqual({ id: "id", props: inputs(), inputs: inputs() });
    expect(made().length).toBe(1);
  });

  test("leaves a token whose account may do nothing: that is for the rights to mend", async () => {
    gcp.forbidden = /pods/;
    expect((await refresh()).id).toBe("id");
  });

  test("finds it gone when the Secret is", async () => {
    aws.secrets.delete(SECRET);
    expect((await refresh()).id).toBe("");
  });

  test("finds it gone when the API server knows it no more", async () => {
    gcp.tokens.delete(token());
    expect((await refresh()).id).toBe("");
  });

  test("finds it gone when it is empty", async () => {
    aws.secrets.set(SECRET, {});
    expect((await refresh()).id).toBe("");
  });

  test("fails when it cannot know", async () => {
    gcp.refusals.push(418);
    expect(await failure(refresh())).toMatch(/^gcp: the Kubernetes API answered HTTP 418 when asked to list/);
    aws.refusals.push(403);
    expect(await failure(refresh())).toMatch(/^aws: .* asked to read Secret/);
  });
});

describe("its end", () => {
  test("takes the Secret away, and is content when it is gone", async () => {
    await provider.create(inputs());
    await provider.delete("id", inputs());
    expect(aws.secrets.size).toBe(0);
    await provider.delete("id", inputs());
  });

  test("does not need the other cloud", async () => {
    await provider.create(inputs());
    const state = inputs();
    await gcp.stop();
    await provider.delete("id", state);
    expect(aws.secrets.size).toBe(0);
  });
});

describe("a change", () => {
  const diff = (news: Partial<Record<keyof ScrapeTokenInputs, unknown>>) =>
    provider.diff("id", inputs(), { ...inputs(), ...news } as ScrapeTokenInputs);

  test("is none when nothing differs", async () => {
    expect(await diff({})).toEqual({ changes: false, replaces: [] });
  });

  test.each([["accountUid"], ["kubeconfig"], ["homeKubeconfig"], ["lifetimeSeconds"]])(
    "of %s makes a new token, and so may one that is not known yet",
    async (property) => {
      expect(await diff({ [property]: "another" })).toEqual({ changes: true, replaces: [] });
      expect(await diff({ [property]: UNKNOWN })).toEqual({ changes: true, replaces: [] });
    },
  );

  test.each([["cloud"], ["home"], ["secret"]])("of %s makes another Secret", async (property) => {
    expect(await diff({ [property]: "another" })).toEqual({ changes: true, replaces: [property] });
  });

  test("is checked, all of it at once", async () => {
    const wrong = {
      ...inputs(),
      cloud: "",
      secret: { namespace: "observability" },
      lifetimeSeconds: 60,
      kubeconfig: UNKNOWN,
    } as unknown as ScrapeTokenInputs;
    const { failures } = await provider.check(wrong, wrong);
    expect(failures.map(({ property }) => property)).toEqual(["cloud", "secret", "lifetimeSeconds"]);
    expect((await provider.check(inputs(), inputs())).failures).toEqual([]);
  });
});
