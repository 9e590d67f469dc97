// Annotations that a transformation adds to an object's own.
import * as pulumi from "@pulumi/pulumi";

/** The properties of a Kubernetes object with these annotations beside its own. */
export function annotated(props: pulumi.Inputs, added: Readonly<Record<string, string>>): pulumi.Inputs {
  type Texts = Record<string, pulumi.Input<string>>;
  const { metadata } = props as { metadata?: { annotations?: Texts | pulumi.Output<Texts> } };
  const own = metadata?.annotations;
  const annotations = pulumi.Output.isInstance(own)
    ? own.apply((known) => ({ ...known, ...added }))
    : { ...own, ...added };
  return { ...props, metadata: { ...metadata, annotations } };
}
