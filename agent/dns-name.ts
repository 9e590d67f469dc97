// DNS names as they are compared and sent.

/** Lower case, without the dot of the root. */
export const dnsName = (host: string): string => host.toLowerCase().replace(/\.$/, "");

/** Whether `host` is, or is below, one of `domains`. */
export function isBelow(host: string, domains: readonly string[]): boolean {
  const name = dnsName(host);
  return domains.map(dnsName).some((domain) => name === domain || name.endsWith(`.${domain}`));
}
