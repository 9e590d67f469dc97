// What the provider of ScrapeToken asks of the Kubernetes APIs of two clouds. It runs inside the serialized provider. No error of it quotes a token.
import { loadKubeConfig, passing } from "../trust/exec";
import { fault, wordsOf } from "../trust/fault";
import { labels, PROMETHEUS } from "../well-known";

/** A cluster by its kubeconfig. */
export interface Access {
  /** The cloud's key in the stack's config; errors begin with it. */
  cloud: string;
  kubeconfig: string;
}

/** A namespaced object. */
export interface ObjectName {
  namespace: string;
  name: string;
}

/** Longest time for one answer. */
const answerLimitMs = 30_000;

/** Answers that another attempt may change: what was just made is not there yet, or the API server is busy or starting. */
const passingCodes = [404, 409, 429, 500, 502, 503, 504];

const codeOf = (error: unknown): number | undefined => {
  const { code } = error as { code?: unknown };
  return typeof code === "number" ? code : undefined;
};

/** Makes `ask` an error in words of our own: those of the client have whole answers in them. */
async function asked<T>(cloud: string, what: string, ask: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("no answer: timed out")), answerLimitMs);
  });
  try {
    return await Promise.race([ask(), limit]);
  } catch (error) {
    const httpCode = codeOf(error);
    if (httpCode === undefined) {
      const next = "Check that its API server is up and that the kubeconfig is right.";
      throw fault(`${cloud}: the Kubernetes API cannot be reached to ${what}: ${wordsOf(error)}. ${next}`, {
        transient: passing.test(wordsOf(error)),
      });
    }
    const refused = httpCode === 401 || httpCode === 403;
    const next = refused ? " Check that the kubeconfig's user may do that." : "";
    const words = `${cloud}: the Kubernetes API answered HTTP ${httpCode} when asked to ${what}.${next}`;
    throw Object.assign(fault(words, { transient: passingCodes.includes(httpCode) }), { httpCode });
  } finally {
    clearTimeout(timer);
  }
}

/** HTTP code of an error of `asked`, when there was an answer. */
const httpCodeOf = (error: unknown) => (error as { httpCode?: number }).httpCode;

/** A new token of an account, bound to nothing else, for that API server's own audience. The API server may shorten its life. */
export async function mintToken(access: Access, account: ObjectName, seconds: number): Promise<string> {
  const { k8s, config } = await loadKubeConfig(access.cloud, access.kubeconfig);
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [], expirationSeconds: seconds },
  };
  const what = `make a token of ServiceAccount ${account.namespace}/${account.name}`;
  const answer = await asked(access.cloud, what, () =>
    config.makeApiClient(k8s.CoreV1Api).createNamespacedServiceAccountToken({ ...account, body }),
  );
  const token = answer.status?.token;
  if (!token) throw fault(`${access.cloud}: the Kubernetes API made no token when asked to ${what}.`, {});
  return token;
}

/** Whether the API server still knows a token for its account's. What the account may do does not matter. */
export async function isTokenGood(access: Access, account: ObjectName, token: string): Promise<boolean> {
  const { k8s, config } = await loadKubeConfig(access.cloud, access.kubeconfig);
  const cluster = config.getCurrentCluster()!;
  const asAccount = new k8s.KubeConfig();
  asAccount.loadFromClusterAndUser(cluster, { name: account.name, token });
  try {
    await asked(access.cloud, `list the pods of ${account.namespace} with Prometheus' token`, () =>
      asAccount.makeApiClient(k8s.CoreV1Api).listNamespacedPod({ namespace: account.namespace, limit: 1 }),
    );
  } catch (error) {
    if (httpCodeOf(error) === 401) return false;
    if (httpCodeOf(error) !== 403) throw error;
  }
  return true;
}

/** Writes a Secret with a token, whether or not there is one. */
export async function writeSecret(access: Access, secret: ObjectName, token: string): Promise<void> {
  const { k8s, config } = await loadKubeConfig(access.cloud, access.kubeconfig);
  const api = config.makeApiClient(k8s.CoreV1Api);
  const metadata = { ...secret, labels: labels(PROMETHEUS.name, "metrics") };
  const body = { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", stringData: { token } };
  const what = `write Secret ${secret.namespace}/${secret.name}`;
  try {
    await asked(access.cloud, what, () => api.replaceNamespacedSecret({ ...secret, body }));
  } catch (error) {
    if (httpCodeOf(error) !== 404) throw error;
    await asked(access.cloud, what, () => api.createNamespacedSecret({ namespace: secret.namespace, body }));
  }
}

/** The token that a Secret holds; undefined if there is none. */
export async function readSecret(access: Access, secret: ObjectName): Promise<string | undefined> {
  const { k8s, config } = await loadKubeConfig(access.cloud, access.kubeconfig);
  try {
    const { data } = await asked(access.cloud, `read Secret ${secret.namespace}/${secret.name}`, () =>
      config.makeApiClient(k8s.CoreV1Api).readNamespacedSecret({ ...secret }),
    );
    return Buffer.from(data?.["token"] ?? "", "base64").toString("utf8") || undefined;
  } catch (error) {
    if (httpCodeOf(error) === 404) return undefined;
    throw error;
  }
}

/** Deletes a Secret; content if there is none. */
export async function deleteSecret(access: Access, secret: ObjectName): Promise<void> {
  const { k8s, config } = await loadKubeConfig(access.cloud, access.kubeconfig);
  try {
    await asked(access.cloud, `delete Secret ${secret.namespace}/${secret.name}`, () =>
      config.makeApiClient(k8s.CoreV1Api).deleteNamespacedSecret({ ...secret }),
    );
  } catch (error) {
    if (httpCodeOf(error) !== 404) throw error;
  }
}
