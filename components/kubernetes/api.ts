// How providers of dynamic resources ask a cluster's Kubernetes API. No error of it quotes what was asked or answered, which may be a token.
import { loadKubeConfig } from "../clouds/kubeconfig-client";
import { passing } from "../trust/exec";
import { fault, wordsOf } from "../trust/fault";

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
export async function asked<T>(cloud: string, what: string, ask: () => Promise<T>): Promise<T> {
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
export const httpCodeOf = (error: unknown) => (error as { httpCode?: number }).httpCode;

/** What `ask` answers; undefined where there is no such object. */
export async function unlessMissing<T>(ask: Promise<T>): Promise<T | undefined> {
  try {
    return await ask;
  } catch (error) {
    if (httpCodeOf(error) === 404) return undefined;
    throw error;
  }
}

/** Writes an object whole, whether or not there is one: nothing stays of what somebody may have added to it. */
export async function put(
  cloud: string,
  what: string,
  replace: () => Promise<unknown>,
  create: () => Promise<unknown>,
) {
  if ((await unlessMissing(asked(cloud, what, replace))) === undefined) await asked(cloud, what, create);
}

/**
 * The Kubernetes client, what makes a client of one of this cluster's APIs, and one of the core API. Every request is given up in the end: one that is never answered would
 * keep the program from ending.
 */
export async function coreApi({ cloud, kubeconfig }: Access) {
  const { k8s, config } = await loadKubeConfig(cloud, kubeconfig);
  const limited = k8s.createConfiguration({
    baseServer: new k8s.ServerConfiguration(config.getCurrentCluster()!.server, {}),
    authMethods: { default: config },
    promiseMiddleware: [
      {
        pre: async (request) => {
          request.setSignal(AbortSignal.timeout(answerLimitMs));
          return request;
        },
        post: async (response) => response,
      },
    ],
  });
  const clientOf = <Api>(ApiClass: new (configuration: typeof limited) => Api): Api => new ApiClass(limited);
  return { k8s, config, clientOf, api: clientOf(k8s.CoreV1Api) };
}
