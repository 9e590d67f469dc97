// Whether the clouds of the configuration can be connected by tunnels.
import { vpnProblems as allocationProblems } from "../../../components/network/vpn/allocation";
import { type VpnMember, type VpnProblem } from "../../../components/network/vpn/member";
import type { CloudDrafts } from "../draft";
import type { Draft, Gateway } from "../clouds/spec";
import type { NetworkEntry } from "../network";
import type { Path, Problem } from "../problem";
import { specOf } from "../settle";

/** A gateway that there will be, or that is there already. */
interface Placed extends Pick<VpnMember, "name" | "provider"> {
  readonly gateway?: Gateway;
}

/** What stands in the way of mode `vpn`. In other modes nothing is looked at. */
export function vpnProblems(clouds: CloudDrafts, { mode, vpn }: Draft<NetworkEntry>): Problem[] {
  if (mode !== "vpn") return [];
  const ofEntries = clouds.flatMap(([name, entry]) =>
    (specOf(entry).vpnProblems?.(entry) ?? []).map(({ path, ...rest }) => ({
      ...rest,
      path: ["clouds", name, ...path],
    })),
  );
  const gateways = clouds.flatMap(([name, entry]): Placed[] => {
    const spec = specOf(entry);
    // A gateway that cannot be used is a problem already.
    if (spec.gateway === undefined) return [{ name, provider: entry.provider }];
    const gateway = spec.gateway(entry);
    return gateway === undefined ? [] : [{ name, provider: entry.provider, gateway }];
  });
  const members = gateways.map(({ gateway, ...cloud }): VpnMember => {
    return { ...cloud, gateway: gateway && { asn: gateway.asn, addresses: gateway.addresses.length } };
  });
  const addresses = gateways.flatMap(({ name, gateway }) =>
    (gateway?.addresses ?? []).map((address, index) => ({ name, index, address })),
  );
  const shared = addresses.flatMap(({ name, index, address }, at) => {
    const other = addresses.slice(0, at).find((earlier) => earlier.address === address);
    if (other === undefined || other.name === name) return [];
    const message = `is ${JSON.stringify(address)}, which is an address of cloud ${other.name}'s gateway already; write another`;
    return [{ path: ["clouds", name, "vpn", "gatewayAddresses", index], message }];
  });
  const ofAllocation = vpn?.firstAsn === undefined ? [] : allocationProblems(members, vpn.firstAsn);
  return [...ofEntries, ...shared, ...ofAllocation.map(placed)];
}

function placed({ cloud, key, message }: VpnProblem): Problem {
  const path: Path =
    cloud === undefined
      ? ["network", "vpn"]
      : ["clouds", cloud, ...(key === undefined ? ["provider"] : ["vpn", key])];
  return { path, message };
}
