// How transformations change a part of an object that may be known only later.
import * as pulumi from "@pulumi/pulumi";

/** A value with a change. What is known now stays known now. */
export function changed<T>(value: T | pulumi.Output<T>, change: (known: T) => T): T | pulumi.Output<T> {
  return pulumi.Output.isInstance<T>(value) ? value.apply(change) : change(value);
}
