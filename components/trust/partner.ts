/** A foreign trust domain that the mesh federates with. */
export interface Partner {
  /** As the configuration calls it. */
  readonly name: string;
  /** Without scheme. */
  readonly trustDomain: string;
  /** `https://host[:port][/path]`, as the clusters of the mesh reach it. */
  readonly bundleEndpointUrl: string;
  /** SPIFFE id that the endpoint presents (profile https_spiffe). Default: it has a public certificate (https_web). */
  readonly endpointSpiffeId?: string;
  /** Its first bundle in SPIFFE format (JSON text). Needed with `endpointSpiffeId`. */
  readonly bundle?: string;
  /** SPIFFE ids that may call agents, by the configuration's names for them. */
  readonly identities: Readonly<Record<string, string>>;
}
