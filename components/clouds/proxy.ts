// Which proxy leads to an API server by the environment, as for kubectl (golang.org/x/net, http/httpproxy/proxy.go).
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * URL of the proxy that HTTPS_PROXY (for `http://` HTTP_PROXY) names, or the same in lower case, for the server at this URL; undefined if there is
 * none, NO_PROXY excepts the server, or it is on this machine. Throws an Error, without the value, which may have a password, if that is no URL of a proxy.
 */
export function proxyFromEnvironment(
  server: string,
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): string | undefined {
  const url = new URL(server);
  const read = (name: string) => env[name] || env[name.toLowerCase()];
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const written = read(name);
  if (!written || isExcepted(url, read("NO_PROXY") ?? "")) return undefined;
  const proxy = written.includes("://") ? written : `http://${written}`;
  if (!/^(https?|socks5h?):\/\//.test(proxy) || !URL.canParse(proxy))
    throw new Error(`the variable ${name} is no URL of a proxy; write one such as http://host:port`);
  return proxy;
}

function isExcepted({ protocol, hostname, port }: URL, exceptions: string): boolean {
  const host = bare(hostname);
  const address = isIP(host) ? ipaddr.process(host) : undefined;
  if (host === "localhost" || address?.range() === "loopback") return true;
  const itsPort = port || (protocol === "https:" ? "443" : "80");
  const entries = exceptions.toLowerCase().split(",");
  return entries.some((entry) => isExceptedBy(entry.trim(), host, address, itsPort));
}

/** An entry is `*`, an address range, an address or a name, the last two with or without a port. A name is of its subdomains, too; with a dot first, of them alone. */
function isExceptedBy(
  entry: string,
  host: string,
  address: ipaddr.IPv4 | ipaddr.IPv6 | undefined,
  port: string,
): boolean {
  if (entry === "*") return true;
  if (ipaddr.isValidCIDR(entry)) {
    const [start, length] = ipaddr.parseCIDR(entry);
    return address !== undefined && address.kind() === start.kind() && address.match(start, length);
  }
  const [written = "", ofPort = port] = isIP(entry) ? [entry] : entry.split(/:(?=\d+$)/);
  const name = bare(written).replace(/^\*\./, ".");
  if (name === "" || ofPort !== port) return false;
  if (isIP(name)) return address?.toString() === ipaddr.process(name).toString();
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

/** IPv6 without the brackets of URLs. */
const bare = (host: string) => host.replace(/^\[(.*)\]$/, "$1");
