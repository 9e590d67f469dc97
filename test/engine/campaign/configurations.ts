// The two meshes between which the campaign goes to and fro.
export const CLOUDS = ["north", "south", "west"] as const;
/** All clouds; and without the last of them, other entries in the others. */
export const CONFIGURATIONS = ["three clouds", "two clouds"] as const;
export type Configuration = (typeof CONFIGURATIONS)[number];

export const cloudsOf = (configuration: Configuration) =>
  configuration === "three clouds" ? CLOUDS : CLOUDS.slice(0, 2);

export const trustDomainOf = (cloud: string) => `${cloud}.example.org`;
export const NAMESPACE = "campaign";

/** Where the servers are. */
export interface Settings {
  readonly kubeconfig: string;
  /** By the cloud. */
  readonly endpoints: Readonly<Record<string, string>>;
}
