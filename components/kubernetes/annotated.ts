// Annotations that a transformation adds to an object's own.
import type * as pulumi from "@pulumi/pulumi";
import { changed } from "./changed";

/** The properties of a Kubernetes object with these annotations beside its own. */
export function annotated(props: pulumi.Inputs, added: Readonly<Record<string, string>>): pulumi.Inputs {
  type Texts = Record<string, pulumi.Input<string>>;
  const { metadata } = props as { metadata?: { annotations?: Texts | pulumi.Output<Texts> } };
  const annotations = changed(metadata?.annotations ?? {}, (own) => ({ ...own, ...added }));
  return { ...props, metadata: { ...metadata, annotations } };
}
