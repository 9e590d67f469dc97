// What a stack sets of a cloud's own provider, for the provider that the program makes of it.
import * as pulumi from "@pulumi/pulumi";

/** Settings of a provider as arguments for one, by name. */
type Settings<Config> = { readonly [Key in keyof Config]?: pulumi.Output<NonNullable<Config[Key]>> };

/**
 * What the stack sets in the namespace of a provider, for example `aws:profile`, `aws:assumeRoles` or
 * `gcp:impersonateServiceAccount`. The engine hands it to default providers alone
 * (https://www.pulumi.com/docs/iac/concepts/resources/providers/).
 *
 * @param namespace Package of the provider, for example `aws`.
 * @param config Module `config` of the provider's SDK, which knows what type each setting has.
 * @returns Those that are set, as secrets, since some are and nobody has to read them.
 */
export function stackSettings<Config extends object>(namespace: string, config: Config): Settings<Config> {
  const isSet = (key: string) => pulumi.runtime.getConfig(`${namespace}:${key}`) !== undefined;
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key]) => isSet(key))
      .map(([key, value]) => [key, pulumi.secret(value)]),
  ) as Settings<Config>;
}
