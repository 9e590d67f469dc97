import * as fc from "fast-check";
import type { CloudProvider } from "../../../components/clouds/private-network";
import { contains, overlaps, subnet } from "../../../components/network/cidr";
import { allocateVpn, vpnProblems } from "../../../components/network/vpn/allocation";
import { type Link, type VpnAllocation, type VpnMember } from "../../../components/network/vpn/member";

const FIRST_ASN = 64800;

/** Where Azure has its link-local BGP addresses. */
const AZURE_LINKS = ["169.254.21.0/24", "169.254.22.0/24"];
/** What AWS takes for no tunnel (AWS Site-to-Site VPN user guide, "Tunnel options"). */
const AWS_TAKEN = [...[0, 1, 2, 3, 4, 5].map((n) => `169.254.${n}.0/30`), "169.254.169.252/30"];

/** Up to seven clouds of which at most one is of AWS, and all gateways that are there already have two addresses. */
const members = fc
  .array(fc.constantFrom<CloudProvider>("aws", "gcp", "azure", "existing"), { minLength: 1, maxLength: 7 })
  .map((providers) => {
    const aws = providers.indexOf("aws");
    return providers
      .map((provider, index) => (provider === "aws" && index !== aws ? "gcp" : provider))
      .map((provider, index): VpnMember => {
        const gateway = provider === "existing" ? { asn: 65001 + index, addresses: 2 } : undefined;
        return { name: `cloud-${index}`, provider, gateway };
      });
  });

const links = ({ pairs }: VpnAllocation): Link[] => pairs.flatMap((pair) => [...pair.links]);

/** First and last usable address of a /30. */
const hosts = (cidr: string) => [1, 2].map((host) => subnet(cidr, 32, host).replace("/32", ""));

const property = (check: (all: readonly VpnMember[], allocation: VpnAllocation) => void) =>
  fc.assert(fc.property(members, (all) => check(all, allocateVpn(all, FIRST_ASN))));

describe("the allocation of tunnels", () => {
  test("gives no two links an address in common, and each a /30 of 169.254.0.0/16", () => {
    property((_, allocation) => {
      const ranges = links(allocation).map(({ cidr }) => cidr);
      ranges.forEach((range, index) => {
        expect(range).toMatch(/\/30$/);
        expect(contains("169.254.0.0/16", range)).toBe(true);
        expect(ranges.slice(0, index).filter((other) => overlaps(range, other))).toEqual([]);
      });
    });
  });

  test("gives both ends of a link its two usable addresses", () => {
    property((_, allocation) => {
      for (const { cidr, ends } of links(allocation)) {
        expect(ends.map(({ inside }) => inside).sort()).toEqual(hosts(cidr).sort());
      }
    });
  });

  test("keeps to the rules of AWS: it has the first address, of a range that it does not keep, and two tunnels for each address of a peer", () => {
    property((all, allocation) => {
      const aws = all.find(({ provider }) => provider === "aws")?.name;
      for (const { clouds, links } of allocation.pairs.filter((pair) => pair.clouds.includes(aws!))) {
        const side = clouds.indexOf(aws!);
        for (const { cidr, ends } of links) {
          expect(ends[side]!.inside).toBe(hosts(cidr)[0]);
          expect(AWS_TAKEN.filter((taken) => overlaps(taken, cidr))).toEqual([]);
        }
        expect(links.map(({ ends }) => ends[side]!.address)).toEqual([0, 1, 2, 3]);
        expect(links.map(({ ends }) => ends[1 - side]!.address)).toEqual([0, 0, 1, 1]);
      }
    });
  });

  test("gives Azure addresses of its own range, and leaves that range to Azure", () => {
    property((all, allocation) => {
      const azure = new Set(all.filter(({ provider }) => provider === "azure").map(({ name }) => name));
      for (const { clouds, links } of allocation.pairs) {
        for (const { cidr } of links) {
          const within = AZURE_LINKS.some((range) => contains(range, cidr));
          expect([clouds, within]).toEqual([clouds, clouds.some((cloud) => azure.has(cloud))]);
        }
      }
    });
  });

  test("connects every pair by two tunnels or more, but for what providers or owners connect themselves", () => {
    property((all, { pairs }) => {
      const provider = new Map(all.map((member) => [member.name, member.provider]));
      const expected = all.flatMap((second, index) =>
        all
          .slice(0, index)
          .filter((first) => first.provider !== "existing" || second.provider !== "existing")
          .map((first) => [first.name, second.name]),
      );
      expect(pairs.map(({ clouds }) => clouds)).toEqual(expected);
      for (const { clouds, links } of pairs) {
        const native = clouds.every((cloud) => provider.get(cloud) === "azure");
        expect(links.length >= 2).toBe(!native);
        // Each of a gateway's two addresses has a tunnel.
        for (const side of native ? [] : [0, 1]) {
          expect(new Set(links.map(({ ends }) => ends[side]!.address)).size).toBeGreaterThanOrEqual(2);
        }
      }
    });
  });

  test("gives every cloud an ASN of its own, a private one that Azure does not keep where it has the choice", () => {
    property((all, { asns }) => {
      expect(new Set(asns.values()).size).toBe(all.length);
      for (const { name, gateway } of all) {
        const asn = asns.get(name)!;
        if (gateway) expect(asn).toBe(gateway.asn);
        else
          expect(asn >= 64512 && asn <= 65534 && ![65515, 65517, 65518, 65519, 65520].includes(asn)).toBe(
            true,
          );
      }
    });
  });

  test("is the same every time, and keeps what it gave when a cloud comes after the others", () => {
    property((all, allocation) => {
      expect(allocateVpn(all, FIRST_ASN)).toEqual(allocation);
      const fewer = allocateVpn(all.slice(0, -1), FIRST_ASN);
      expect(allocation.pairs.slice(0, fewer.pairs.length)).toEqual(fewer.pairs);
      expect([...allocation.asns].slice(0, fewer.asns.size)).toEqual([...fewer.asns]);
    });
  });

  test("passes over the ASNs that Azure keeps", () => {
    const all = Array.from({ length: 4 }, (_, index): VpnMember => {
      return { name: `gcp-${index}`, provider: "gcp" };
    });
    expect([...allocateVpn(all, 65514).asns.values()]).toEqual([65514, 65516, 65521, 65522]);
  });
});

describe("what cannot be allocated", () => {
  const aws: VpnMember = { name: "aws", provider: "aws" };
  const azure: VpnMember = { name: "azure", provider: "azure" };
  const onPremises = (asn: number, addresses: number): VpnMember => {
    return { name: "home", provider: "existing", gateway: { asn, addresses } };
  };

  test("is two clouds of AWS, whose gateways make no tunnel to each other", () => {
    expect(() => allocateVpn([aws, { ...aws, name: "aws-2" }], FIRST_ASN)).toThrow(RangeError);
    expect(vpnProblems([aws, { ...aws, name: "aws-2" }], FIRST_ASN)).toMatchObject([{ cloud: "aws-2" }]);
  });

  test("is a gateway of one address beside Azure, and only there", () => {
    expect(vpnProblems([azure, onPremises(65001, 1)], FIRST_ASN)).toMatchObject([
      { cloud: "home", key: "gatewayAddresses" },
    ]);
    expect(allocateVpn([aws, onPremises(65001, 1)], FIRST_ASN).pairs[0]!.links).toHaveLength(2);
  });

  test("is an ASN that another cloud has, or that nobody may have", () => {
    for (const asn of [FIRST_ASN, 65515, 23456]) {
      expect(vpnProblems([aws, onPremises(asn, 2)], FIRST_ASN)).toMatchObject([
        { cloud: "home", key: "asn" },
      ]);
    }
  });

  test("is a cluster that says nothing of its gateway", () => {
    expect(vpnProblems([aws, { name: "home", provider: "existing" }], FIRST_ASN)).toMatchObject([
      { cloud: "home" },
    ]);
  });

  test("is more links than Azure's range holds, which is 128", () => {
    // Two with each cloud of Google Cloud.
    const all = (count: number) => [
      azure,
      ...Array.from({ length: count }, (_, index): VpnMember => ({ name: `gcp-${index}`, provider: "gcp" })),
    ];
    const ofAzure = links(allocateVpn(all(64), 64512)).filter(({ cidr }) =>
      AZURE_LINKS.some((range) => contains(range, cidr)),
    );
    expect(ofAzure).toHaveLength(128);
    expect(() => allocateVpn(all(65), 64512)).toThrow(/169\.254\.21\.0\/24 and 169\.254\.22\.0\/24/);
  });

  test("is told all at once", () => {
    expect(
      vpnProblems([aws, { ...aws, name: "aws-2" }, azure, onPremises(65515, 1)], FIRST_ASN),
    ).toHaveLength(3);
  });
});
