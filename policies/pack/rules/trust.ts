// Rules about keys: who may hold them, and what may take them away.
import { load } from "js-yaml";
import { NAMESPACES } from "../../../components/well-known";
import type { Rule } from "../rule";

interface Users {
  readonly users?: readonly { readonly name: string; readonly user?: Readonly<Record<string, unknown>> }[];
}

/** What lets in whoever holds it. A key with its certificate is another thing: it never leaves its owner. */
const BEARER = ["token", "password"] as const;

/** Kubeconfigs, of providers, of dynamic resources and among outputs, whose users have a token. */
export const kubeconfigTokens: Rule = function* ({ inputs }) {
  for (const key of Object.keys(inputs).filter((name) => /kubeconfig/i.test(name))) {
    const given: unknown = inputs[key];
    const { users = [] } = (typeof given === "string" ? read(given) : given) as Users;
    for (const { name, user = {} } of users) {
      const found = BEARER.filter((field) => user[field]);
      if (found.length > 0)
        yield `has in ${key} a ${found.join(" and a ")} of user ${name}; use an exec plugin`;
    }
  }
};

/** Whatever text is no kubeconfig, such as a path, has no users. */
function read(text: string): Users {
  const found: unknown = load(text);
  return typeof found === "object" && found !== null ? found : {};
}

/** SPIRE servers that may be deleted with their volume, and with it the keys of a CA. */
export const protectedCa: Rule = function* ({ type, inputs, protect }, { settings: { environment } }) {
  if (environment !== "production" || protect) return;
  const holdsKeys = ["kubernetes:apps/v1:StatefulSet", "kubernetes:core/v1:PersistentVolumeClaim"].includes(
    type,
  );
  if (holdsKeys && inputs.metadata.namespace === NAMESPACES.spireServer) {
    yield `may be deleted, and with it the keys of a CA; write agentweave-mesh:spire.protect: true`;
  }
};
