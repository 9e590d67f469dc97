import { notesOn } from "../../../infra/plan/costs";

test("what lasts longest comes first, then what costs most, each with its number and its sources", () => {
  const counts = {
    "aws:ec2/natGateway:NatGateway": 3,
    "aws:ec2/vpc:Vpc": 1,
    "azure-native:network:VirtualNetworkGateway": 1,
    "eks:index:Cluster": 1,
    "gcp:compute/routerNat:RouterNat": 1,
    "gcp:container/cluster:Cluster": 1,
  };
  const notes = notesOn(counts);
  expect(
    notes.map(({ count, what, minutes, usdPerHour }) => [count, what, minutes?.[1], usdPerHour]),
  ).toEqual([
    [1, "Azure VPN gateway", 60, undefined],
    [1, "EKS cluster", 15, 0.1],
    [3, "NAT gateway", undefined, 0.045],
    [1, "GKE cluster", undefined, 0.1],
    [1, "Cloud NAT", undefined, undefined],
  ]);
  for (const { what, sources } of notes) {
    expect([
      what,
      sources.every(({ url, date }) => url.startsWith("https://") && /^20\d\d/.test(date)),
    ]).toEqual([what, true]);
    expect(sources).not.toEqual([]);
  }
});
