// Mistakes in a change of trust domains on a mesh that stands.
import type { CloudDrafts, ConfigDraft } from "../draft";
import type { Problem } from "../problem";
import { otherTrustDomainOf, trustDomainOf } from "../settle";

/** What does not go together with `trust.next` and `trust.former`. */
export function movingProblems(
  clouds: CloudDrafts,
  { trust, spire, partners, agents }: ConfigDraft,
): Problem[] {
  const { mode = "federated", domain = "", next, former, root } = trust ?? {};
  const [key, other] = next !== undefined ? ["next", next] : ["former", former];
  if (other?.domain === undefined) return [];
  const at = ["trust", key];
  const wrong = (is: boolean, path: Problem["path"], message: string) => (is ? [{ path, message }] : []);
  const settled = { mode, domain, next, former } as Parameters<typeof otherTrustDomainOf>[2];
  const own = clouds.map(([name, entry]) => trustDomainOf(name, entry, settled));
  const others = clouds.map(([name, entry]) => otherTrustDomainOf(name, entry, settled));
  const taken = others.find((there) => there !== undefined && own.includes(there));
  return [
    ...wrong(
      next !== undefined && former !== undefined,
      ["trust", "former"],
      "is written beside trust.next, and the mesh goes from one to the other; remove one of them",
    ),
    ...wrong(
      others.length > 0 && others.every((there) => there === undefined),
      at,
      "has the trust domains that the clouds have; remove it, or write what they are to become or were",
    ),
    ...wrong(
      taken !== undefined,
      [...at, "domain"],
      `gives a cloud trust domain ${taken}, which another one has; write another domain`,
    ),
    ...wrong(
      spire?.topology !== undefined && spire.topology !== "each",
      at,
      `goes from one server a cloud to one server a cloud, and spire.topology is ${spire?.topology}; remove it`,
    ),
    ...wrong(
      Object.keys(partners ?? {}).length > 0,
      at,
      "has every server accept two identities of an agent, one of which a partner's CA could take for its own; take the partners out for that time",
    ),
    ...wrong(
      agents?.image !== undefined ||
        Object.values(agents?.roles ?? {}).some((role) => role?.sidecar === "none"),
      at,
      "is for agents behind Envoy, and some have sidecar: none, which know one identity of each other; remove it",
    ),
    ...(former === undefined
      ? []
      : [
          ...wrong(
            (root?.kind ?? (mode === "single" ? "program" : undefined)) !== "program",
            ["trust", "root", "kind"],
            `is ${root?.kind ?? "not written"}, but what all have accepted by trust.next is a root of the program's; write program`,
          ),
          ...wrong(
            spire?.protect === true,
            ["spire", "protect"],
            "is true, but every SPIRE server is made anew in another trust domain; write false for this step",
          ),
          ...clouds.flatMap(([name, { spire: server }], index) =>
            wrong(
              others[index] !== undefined && server !== undefined && "managedDatastore" in server,
              ["clouds", name, "spire", "managedDatastore"],
              "is a database that has the identities of the trust domain before, with which SPIRE does not start; write a datastore of yours, an empty one",
            ),
          ),
        ]),
  ];
}
