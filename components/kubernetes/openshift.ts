// Whether a cluster is OpenShift.
import { type Access, asked, coreApi, unlessMissing } from "./api";

/** API group of SecurityContextConstraints, which decide there what pods may be (https://docs.openshift.com/container-platform/latest/authentication/managing-security-context-constraints.html). */
const GROUP = "security.openshift.io";

/** Throws as `asked` does, and asks once. */
export async function isOpenShift(access: Access): Promise<boolean> {
  const { k8s, clientOf } = await coreApi(access);
  const apis = clientOf(k8s.ApisApi);
  const list = await unlessMissing(asked(access.cloud, "list its API groups", () => apis.getAPIVersions()));
  return list?.groups.some(({ name }) => name === GROUP) ?? false;
}
