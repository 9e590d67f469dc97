// A user's own changes of what the program registers, where the configuration has no setting for it.
import * as pulumi from "@pulumi/pulumi";
import { load } from "../cli/load";

/**
 * What a module of transforms exports as `transforms`: by the type of a component, for example `agentweave:clouds:EksCluster`, a function that is given each
 * resource below it before it is registered, and gives other properties and options, or undefined to leave it as it is
 * (https://www.pulumi.com/docs/iac/concepts/options/transformations/). The innermost component's comes first.
 */
export type Transforms = Readonly<Record<string, pulumi.ResourceTransformation>>;

/** Types of this program's components. */
const COMPONENT = /^agentweave:[a-z]+:[A-Z]\w*$/;

/** @throws RunError, for the user, where the module exports no such thing. */
export function transformsIn(file: string): Transforms {
  const { transforms } = load<{ readonly transforms?: Transforms }>(file);
  if (typeof transforms !== "object") throw new pulumi.RunError(`${file} exports no transforms`);
  for (const type of Object.keys(transforms))
    if (!COMPONENT.test(type))
      throw new pulumi.RunError(
        `${file} has a transform of ${type}, which is no component's type; write one such as agentweave:clouds:EksCluster`,
      );
  return transforms;
}

/** They as one transformation of Pulumi's, for the component above all. */
export function transformation(transforms: Transforms): pulumi.ResourceTransformation {
  return (args) => {
    let result: pulumi.ResourceTransformationResult | undefined;
    for (const type of typesAbove(args.opts.parent))
      result = transforms[type]?.({ ...args, ...result }) ?? result;
    return result;
  };
}

/** Types of a resource's parents, the innermost first. */
function* typesAbove(parent: pulumi.Resource | undefined): Iterable<string> {
  // The SDK's, though it is not among its types.
  type Known = pulumi.Resource & {
    readonly __pulumiType: string;
    readonly __parentResource?: pulumi.Resource;
  };
  for (let resource = parent as Known | undefined; resource; resource = resource.__parentResource as Known)
    yield resource.__pulumiType;
}
