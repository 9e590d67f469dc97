// One name under which all objects of a mesh are applied, however often an `up` is begun.
import * as pulumi from "@pulumi/pulumi";
import { FIELD_MANAGER } from "../well-known";
import { annotated } from "./changed";

/** Annotation that names the field manager of an object (provider/pkg/metadata/annotations.go of pulumi-kubernetes). */
export const FIELD_MANAGER_ANNOTATION = "pulumi.com/patchFieldManager";

/**
 * Has every Kubernetes object below a component applied by one field manager. By default the provider invents one for each object and keeps it
 * in the state: of an object that was made by an `up` which was killed before it was recorded, the next `up` knows nothing, and applies it under
 * another name. Server-side apply takes that for a conflict wherever a list is one value and has got defaults, as `volumeClaimTemplates` has,
 * for ever (https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts). The annotation is asked first, at creation too, which is an
 * apply as well (provider/pkg/provider/provider.go, `fieldManagerName`; provider/pkg/await/await.go, `Creation`).
 *
 * `pulumi.com/patchForce` would let that creation pass, but the lost name would go on to own what this program once set: what is left out
 * later would stay.
 */
export const oneFieldManager: pulumi.ResourceTransformation = ({ type, props, opts }) => {
  if (!type.startsWith("kubernetes:") || !("metadata" in props)) return undefined;
  return { props: annotated(props, { [FIELD_MANAGER_ANNOTATION]: FIELD_MANAGER }), opts };
};
