// What the check of a configuration is told beside it.
import type { StackOutput } from "../../components/clouds/kubeconfig-source";

/** The text of another stack's output; undefined where the stack has no such output. */
export type StackOutputs = (source: StackOutput) => string | undefined;

/** Where a configuration comes from. */
export interface ConfigContext {
  /** Name of the stack, for messages. */
  readonly stack: string;
  /** Absolute path of the directory of Pulumi.yaml, from which relative paths start. */
  readonly projectDir: string;
  /** `made later` leaves the kubeconfigs of existing clusters unread, for who makes those clusters. Default: they must be there. */
  readonly kubeconfigs?: "made later";
  /** What the outputs of other stacks hold that kubeconfigs come from; undefined for one that is not there. Default: not asked yet, and not checked. */
  readonly stackOutputs?: StackOutputs;
}
