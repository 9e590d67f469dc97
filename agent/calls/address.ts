// Addresses of agents: `https://host:port` and nothing else.

/** Host and port of an address. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** @throws Error that says what an address looks like, when `address` has another scheme, a path, a user or a query. */
export function parseAddress(address: string): HostPort {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const plain = url?.protocol === "https:" && url.href === `https://${url.host}/`;
  if (!url || !plain) throw new Error(`"${address}" is no address of an agent: write https://host:port`);
  // IPv6 addresses stand in brackets in a URL, and nowhere else.
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port || 443) };
}
