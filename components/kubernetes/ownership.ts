// Whose an object is that a cluster has once under its name: server-side apply takes over what is there, and a destroy would delete it.
import type { V1ObjectMeta } from "@kubernetes/client-node";
import * as pulumi from "@pulumi/pulumi";
import { type Patience, retry } from "../trust/retry";
import { selector } from "./metadata";
import { annotated } from "./changed";
import { type Access, asked, coreApi, unlessMissing } from "./api";

/** Annotation with the stack that made an object, `<project>/<stack>`. */
export const STACK_ANNOTATION = "agentweave.io/stack";

/** What others may have made under the same name. The mesh's other objects are in its namespaces, or have names that begin with its own. */
const SHARED = [
  "kubernetes:core/v1:Namespace",
  "kubernetes:storage.k8s.io/v1:CSIDriver",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
];

/** The stack that the program runs for, as the annotation has it. */
export const stackName = () => `${pulumi.getProject()}/${pulumi.getStack()}`;

/** Has every such object below a component say that this stack made it. */
export function ownedBy(stack: string): pulumi.ResourceTransformation {
  return ({ type, props, opts }) =>
    SHARED.includes(type) ? { props: annotated(props, { [STACK_ANNOTATION]: stack }), opts } : undefined;
}

/** An object that is not this stack's. */
export interface Foreign {
  readonly kind: "namespace" | "csidriver" | "customresourcedefinition";
  readonly name: string;
  /** The stack that made it, `<project>/<stack>`; undefined where nobody says that it is a mesh's. */
  readonly stack: string | undefined;
}

/** How long an API server that answers now and then is asked again. */
const PATIENCE: Patience = { limitMs: 10_000 };

/** The objects of these names in a cluster that a stack did not make, and the errors of `asked` for those of which that is not known. */
export async function foreignObjects(
  access: Access,
  stack: string,
  names: {
    readonly namespaces: readonly string[];
    readonly csiDriver: string;
    readonly definitions: readonly string[];
  },
): Promise<{ readonly foreign: Foreign[]; readonly unknown: Error[] }> {
  const { k8s, clientOf, api } = await coreApi(access);
  const storage = clientOf(k8s.StorageV1Api);
  const extensions = clientOf(k8s.ApiextensionsV1Api);
  type Read = () => Promise<{ metadata?: V1ObjectMeta }>;
  const wanted: [Foreign["kind"], string, Read][] = [
    ...names.namespaces.map((name): [Foreign["kind"], string, Read] => [
      "namespace",
      name,
      () => api.readNamespace({ name }),
    ]),
    ["csidriver", names.csiDriver, () => storage.readCSIDriver({ name: names.csiDriver })],
    ...names.definitions.map((name): [Foreign["kind"], string, Read] => [
      "customresourcedefinition",
      name,
      () => extensions.readCustomResourceDefinition({ name }),
    ]),
  ];
  const found = await Promise.allSettled(
    wanted.map(async ([kind, name, read]) => {
      const ask = () => unlessMissing(asked(access.cloud, `read ${kind} ${name}`, read));
      const object = await retry("the Kubernetes API", PATIENCE, ask);
      const { annotations, labels } = object?.metadata ?? {};
      const owner = annotations?.[STACK_ANNOTATION];
      // Before it told its stack, the program labelled what it made, as it does still.
      const unsaid = owner === undefined && labels?.[PART_OF] === selector(name)[PART_OF];
      return object === undefined || owner === stack || unsaid ? [] : [{ kind, name, stack: owner }];
    }),
  );
  return {
    foreign: found.flatMap((each) => (each.status === "fulfilled" ? each.value : [])),
    unknown: found.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : [])),
  };
}

const PART_OF = "app.kubernetes.io/part-of";
