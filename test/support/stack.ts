// The stack files of the repository.
import { PROJECT } from "../../components/project";
import { stackSettings } from "../../infra/config/settings";

/** The program's own configuration in Pulumi.<stack>.yaml, its keys without the namespace. */
export function stackConfig(stack: string): Readonly<Record<string, unknown>> {
  return stackSettings(stack, PROJECT).raw;
}
