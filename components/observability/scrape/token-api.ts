// What the provider of ScrapeToken asks of the Kubernetes APIs of two clouds. No error of it quotes a token.
import {
  type Access,
  asked,
  coreApi,
  httpCodeOf,
  type ObjectName,
  put,
  unlessMissing,
} from "../../kubernetes/api";
import { fault } from "../../trust/fault";
import { PROMETHEUS } from "../../well-known";
import { labels } from "../../kubernetes/metadata";

/** A new token of an account, bound to nothing else, for that API server's own audience. The API server may shorten its life. */
export async function mintToken(access: Access, account: ObjectName, seconds: number): Promise<string> {
  const { api } = await coreApi(access);
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [], expirationSeconds: seconds },
  };
  const what = `make a token of ServiceAccount ${account.namespace}/${account.name}`;
  const answer = await asked(access.cloud, what, () =>
    api.createNamespacedServiceAccountToken({ ...account, body }),
  );
  const token = answer.status?.token;
  if (!token) throw fault(`${access.cloud}: the Kubernetes API made no token when asked to ${what}.`, {});
  return token;
}

/** Whether the API server still knows a token for its account's. What the account may do does not matter. */
export async function isTokenGood(access: Access, account: ObjectName, token: string): Promise<boolean> {
  const { k8s, config } = await coreApi(access);
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
  const { api } = await coreApi(access);
  const metadata = { ...secret, labels: labels(PROMETHEUS.name, "metrics") };
  const body = { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", stringData: { token } };
  await put(
    access.cloud,
    `write Secret ${secret.namespace}/${secret.name}`,
    () => api.replaceNamespacedSecret({ ...secret, body }),
    () => api.createNamespacedSecret({ namespace: secret.namespace, body }),
  );
}

/** The token that a Secret holds; undefined if there is none. */
export async function readSecret(access: Access, secret: ObjectName): Promise<string | undefined> {
  const { api } = await coreApi(access);
  const found = await unlessMissing(
    asked(access.cloud, `read Secret ${secret.namespace}/${secret.name}`, () =>
      api.readNamespacedSecret({ ...secret }),
    ),
  );
  return Buffer.from(found?.data?.["token"] ?? "", "base64").toString("utf8") || undefined;
}

/** Deletes a Secret; content if there is none. */
export async function deleteSecret(access: Access, secret: ObjectName): Promise<void> {
  const { api } = await coreApi(access);
  await unlessMissing(
    asked(access.cloud, `delete Secret ${secret.namespace}/${secret.name}`, () =>
      api.deleteNamespacedSecret({ ...secret }),
    ),
  );
}
