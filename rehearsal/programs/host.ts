// What a node takes from the machine it runs on: containerd and the tools around it, as the distribution has them.
import { existsSync } from "node:fs";
import path from "node:path";
import { run } from "../processes";
import { say } from "../progress";

/** Commands, or files any of which does, by the Debian package that has them. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  containerd: ["containerd"],
  runc: ["runc"],
  "containernetworking-plugins": ["/usr/lib/cni/ptp", "/opt/cni/bin/ptp"],
  nftables: ["nft"],
  iptables: ["iptables"],
  ipset: ["ipset"],
  conntrack: ["conntrack"],
  zstd: ["zstd"],
  iproute2: ["ip"],
  "util-linux": ["unshare", "nsenter", "setpriv"],
  mount: ["findmnt"],
  procps: ["sysctl"],
  kmod: ["modprobe"],
  "busybox-static": ["busybox"],
  // It runs the example of an agent in Python, and takes programs out of wheels.
  python3: ["/usr/bin/python3"],
  "python3-pip": ["pip", "pip3"],
  "ca-certificates": ["/etc/ssl/certs/ca-certificates.crt"],
};

const FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

function isThere(name: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(path.delimiter), ...FOLDERS];
  return path.isAbsolute(name)
    ? existsSync(name)
    : folders.some((folder) => existsSync(path.join(folder, name)));
}

/** Packages, by Debian's names, of what is not there, with what is missed of each. */
export function missingPackages(there = isThere): Readonly<Record<string, readonly string[]>> {
  const missing = Object.entries(NEEDED).flatMap(([name, needed]) => {
    const missed = needed.filter((file) => !there(file));
    const enough = path.isAbsolute(needed[0]!) ? missed.length < needed.length : missed.length === 0;
    return enough ? [] : [[name, missed]];
  });
  return Object.fromEntries(missing) as Record<string, readonly string[]>;
}

/** Installs what is missing where that can be done, as root on Debian; else names it. */
export async function installPackages(missing = missingPackages()): Promise<void> {
  const packages = Object.keys(missing);
  if (packages.length === 0) return;
  const what = Object.values(missing).flat().join(", ");
  if (process.geteuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new Error(`a node needs ${what}: install what Debian has in its packages ${packages.join(" ")}`);
  }
  say(`  installing Debian's packages ${packages.join(" ")}: a node needs ${what}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update"], { env });
  await run("apt-get", ["install", "--yes", "--no-install-recommends", ...packages], { env });
}
