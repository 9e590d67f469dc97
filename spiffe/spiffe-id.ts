// SPIFFE ids (SPIFFE-ID specification, section 2): read strictly, never by prefix.

const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[a-zA-Z0-9._-]+)*)$/;
/** Longest SPIFFE id (section 2.3). */
const LONGEST = 2048;

/** The parts of a SPIFFE id. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** With its leading slash; empty for the id of a trust domain. */
  readonly path: string;
}

/** The parts of `text`, or undefined when it is no SPIFFE id. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  const match = text.length <= LONGEST ? ID.exec(text) : null;
  if (!match) return undefined;
  const [, trustDomain, path] = match as unknown as [string, string, string];
  const relative = path.split("/").some((segment) => segment === "." || segment === "..");
  return relative ? undefined : { trustDomain, path };
}

/** Whether `text` is the id of a workload: a SPIFFE id with a path. */
export function isWorkloadId(text: string): boolean {
  return (parseSpiffeId(text)?.path ?? "") !== "";
}
