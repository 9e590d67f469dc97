// How transformations change an object, of which a part may be known only later.
import * as pulumi from "@pulumi/pulumi";

/** A value with a change. What is known now stays known now. */
function changed<T>(value: T | pulumi.Output<T>, change: (known: T) => T): T | pulumi.Output<T> {
  return pulumi.Output.isInstance<T>(value) ? value.apply(change) : change(value);
}

/** The properties of a Kubernetes object with these annotations beside its own. */
export function annotated(props: pulumi.Inputs, added: Readonly<Record<string, string>>): pulumi.Inputs {
  type Texts = Record<string, pulumi.Input<string>>;
  const { metadata } = props as { metadata?: { annotations?: Texts | pulumi.Output<Texts> } };
  const annotations = changed(metadata?.annotations ?? {}, (own) => ({ ...own, ...added }));
  return { ...props, metadata: { ...metadata, annotations } };
}

/** The properties of an object that has a template of pods, with these fields in their spec. */
export function withPodFields(props: pulumi.Inputs, fields: object): pulumi.Inputs {
  type Template = { readonly spec: object };
  const { spec } = props as { spec: { template: Template | pulumi.Output<Template> } };
  const template = changed(spec.template, (own) => ({ ...own, spec: { ...own.spec, ...fields } }));
  return { ...props, spec: { ...spec, template } };
}
