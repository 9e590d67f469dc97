import type { Connect } from "../../../cli/cluster";
import { evict, evictNode, evictText } from "../../../cli/evict";
import { rotate, type RotateOptions, rotateText } from "../../../cli/rotate";
import type { ApiAuthorities } from "../../../components/trust/spire-cli";
import { FakeMesh } from "./world";

describe("mesh rotate and mesh evict", () => {
  let world: FakeMesh;
  beforeEach(async () => {
    world = new FakeMesh("aws", "gcp", "azure");
    await world.start();
  });
  afterEach(() => world.stop());

  const run = (more: Partial<RotateOptions> = {}) =>
    rotate(world.mesh(), "aws", {
      limitMs: 3_000,
      connect: world.connect,
      say: () => {},
      handOnMs: 0,
      ...more,
    }).then((report) => ({ ...report.servers[0]!, ...report }));
  const idOf = (name: string) => world.cloud(name).ca.keyId.toString("hex");
  const x509 = (command: string) => `aws localauthority x509 ${command}`;
  const fetches = ["azure federation refresh", "gcp federation refresh"];
  /** Peers fetch side by side. */
  const changes = () => {
    const { length } = world.changes;
    const all = [...world.changes];
    for (let i = 0; i + 1 < length; i++)
      if (fetches.includes(all[i]!) && fetches.includes(all[i + 1]!))
        all.splice(i, 2, ...[all[i]!, all[i + 1]!].sort());
    return all;
  };
  const stored = (name: string) => world.cloud(name).stored.get("aws.example.org")!;

  it("has every peer fetch the new CA before it signs, and keeps the old one", async () => {
    const old = idOf("aws");
    const report = await run();
    expect(changes()).toEqual([x509("prepare"), ...fetches, x509("activate")]);
    expect(report).toMatchObject({ retired: old, active: idOf("aws"), trusted: true });
    expect(stored("gcp")).toHaveLength(2);
  });

  it("has every peer fetch the new JWT key before it signs, and again when the old one is gone", async () => {
    const jwt = (command: string) => `aws localauthority jwt ${command}`;
    const { kind, retired, active, trusted } = await run({ jwt: true });
    expect(changes()).toEqual([jwt("prepare"), ...fetches, jwt("activate")]);
    expect({ kind, retired, active, trusted }).toEqual({
      kind: "jwt",
      retired: "aws-jwt-1",
      active: "aws-jwt-2",
      trusted: true,
    });
    expect(world.cloud("gcp").storedJwt.get("aws.example.org")).toEqual(["aws-jwt-1", "aws-jwt-2"]);
    world.changes.length = 0;
    await expect(run({ jwt: true, taint: true })).rejects.toThrow(
      "rotate aws --jwt --taint --authority aws-jwt-1",
    );
    await run({ jwt: true, taint: true, authority: retired });
    expect(changes().slice(0, 2)).toEqual(["taint", "revoke"].map(jwt));
    expect(world.cloud("gcp").storedJwt.get("aws.example.org")).toEqual(["aws-jwt-2"]);
  });

  it("says who keeps a JWT key that servers of one trust domain handed each other", async () => {
    const mesh = world.mesh();
    const clouds = mesh.clouds.map((cloud) => ({ ...cloud, trustDomain: "example.org" }));
    world.cloud("gcp").jwtKeys.push("aws-jwt-1");
    const report = await rotate({ ...mesh, clouds }, "aws", {
      ...{ limitMs: 3_000, jwt: true, taint: true, connect: world.connect, say: () => {}, handOnMs: 0 },
    });
    expect(report.servers).toMatchObject([{ retired: "aws-jwt-1", trusted: true, keptBy: ["gcp"] }]);
    expect(rotateText(report)).toContain("until it expires: gcp had it from aws");
  });

  it("says which replica's authority is which when none has the one that is named", async () => {
    world.cloud("aws").workloads["spire-server"] = { ready: 2, desired: 2 };
    world.cloud("aws").up = ["spire-server-0", "spire-server-1"];
    await expect(run({ authority: "00" })).rejects.toThrow("has no authority 00 that signs");
    expect(world.changes).toEqual([]);
  });

  it("names a replica that is away before anything is changed, and rotates another one alone", async () => {
    const aws = world.cloud("aws");
    aws.workloads["spire-server"] = { ready: 1, desired: 2 };
    aws.up = ["spire-server-1"];
    const authority = idOf("aws");
    await expect(run({ limitMs: 1_000 })).rejects.toThrow(
      new RegExp(
        `aws: there is no pod spire/spire-server-0.*\`npx mesh rotate aws --authority ${authority}\` rotates spire-server-1`,
      ),
    );
    expect(world.changes).toEqual([]);
    const { servers } = await run({ limitMs: 1_000, authority });
    expect(servers).toMatchObject([{ replica: "spire-server-1", retired: authority, active: idOf("aws") }]);
  });

  it("evicts nothing where all are of one trust domain", async () => {
    const mesh = world.mesh();
    const clouds = mesh.clouds.map((cloud) => ({ ...cloud, trustDomain: "example.org" }));
    await expect(
      evict({ ...mesh, clouds }, "aws", { limitMs: 1_000, connect: world.connect }),
    ).rejects.toThrow(/^aws is of the same trust domain example\.org as gcp, azure/);
    expect(world.changes).toEqual([]);
  });

  it("takes a tainted CA out when all is renewed, and has every peer fetch again", async () => {
    const report = await run({ taint: true });
    expect(changes()).toEqual([
      x509("prepare"),
      ...fetches,
      ...["activate", "taint", "revoke"].map(x509),
      ...fetches,
    ]);
    expect(report.trusted).toBe(false);
    expect(stored("gcp")).toEqual([world.cloud("aws").ca.der]);
  });

  it("says that what a CA signed still holds where another one signed it", async () => {
    const { ca, signers } = world.cloud("aws");
    signers.set(ca, "00");
    expect(rotateText(await run())).toContain("is accepted until it expires, under");
  });

  it("does not revoke while servers below are signed by the old CA, or agents present what these signed by it", async () => {
    const mesh = world.mesh();
    const nested = {
      ...mesh,
      clouds: mesh.clouds.map((cloud) => ({ ...cloud, trustDomain: "example.org" })),
    };
    const tainting = () =>
      rotate(nested, "aws", {
        ...{ limitMs: 1_200, taint: true, connect: world.connect, say: () => {}, handOnMs: 0 },
      });
    const retired = idOf("aws");
    const gcp = world.cloud("gcp");
    gcp.signers.set(gcp.ca, retired);
    await expect(tainting()).rejects.toThrow(
      /not all was renewed within 1.2 s: the SPIRE server of gcp signs by its word/,
    );
    const before = gcp.ca;
    const spire = async (command: string) =>
      JSON.parse(
        (
          await gcp.cluster.exec(
            { pod: "spire-server-0" } as never,
            ["spire-server", ...command.split(" ")],
            1_000,
          )
        ).stdout,
      ) as ApiAuthorities;
    const { prepared } = await spire("localauthority x509 prepare");
    await spire(`localauthority x509 activate -authorityID ${prepared!.authority_id}`);
    await expect(tainting()).rejects.toThrow(/pod agentweave-agent-1 presents what it signed/);
    expect(changes()).not.toContain(x509("revoke"));
    gcp.signers.delete(before);
    expect((await tainting()).servers).toMatchObject([{ trusted: false }]);
  });

  it("does not revoke while an agent presents what the old CA signed, and goes on there", async () => {
    const retired = idOf("aws");
    world.cloud("aws").renews = false;
    await expect(run({ taint: true, limitMs: 1_200 })).rejects.toThrow(
      /not all was renewed within 1.2 s: pod agentweave-agent-1 presents what it signed/,
    );
    expect(changes()).not.toContain(x509("revoke"));
    world.changes.length = 0;
    await world.cloud("aws").stop();
    await world.cloud("aws").start();
    const report = await run({ taint: true });
    expect(report.retired).toBe(retired);
    expect(changes()).toEqual([x509("revoke"), ...fetches]);
  });

  it("asks which CA is meant when one signed before that is not tainted, and takes the one that is named", async () => {
    const old = idOf("aws");
    await run();
    await expect(run({ taint: true })).rejects.toThrow(`--taint --authority ${old}`);
    world.changes.length = 0;
    await run({ taint: true, authority: old });
    expect(changes()).toEqual([...["taint", "revoke"].map(x509), ...fetches]);
    await expect(run({ authority: "00" })).rejects.toThrow("has no authority 00");
  });

  it("changes nothing when a peer cannot be reached, unless that is accepted", async () => {
    world.cloud("gcp").away = true;
    await expect(run()).rejects.toThrow(/Nothing is changed.*--without gcp/);
    expect(world.changes).toEqual([]);
    const { without } = await run({ without: ["gcp"] });
    expect(without).toEqual(["gcp"]);
    expect(changes()).toEqual([x509("prepare"), "azure federation refresh", x509("activate")]);
  });

  it("has all others forget a cloud that is gone, skips by name whom it does not reach, and may be repeated", async () => {
    world.cloud("gcp").away = true;
    world.cloud("azure").away = true;
    const options = { limitMs: 3_000, connect: world.connect };
    const first = await evict(world.mesh(), "gcp", options);
    expect(first.others.map(({ cloud, outcome }) => `${cloud} ${outcome}`)).toEqual([
      "aws forgot",
      "azure skipped",
    ]);
    expect(evictText(first)).toMatch(/azure +SKIPPED +azure: the Kubernetes API cannot be reached/);
    expect(world.changes).toEqual(["aws federation delete", "aws bundle delete"]);
    world.cloud("azure").away = false;
    const again = await evict(world.mesh(), "gcp", options);
    expect(again).toMatchObject({ ok: true, others: [{ outcome: "knew-nothing" }, { outcome: "forgot" }] });
    expect([...world.cloud("azure").stored.keys()]).toEqual(["aws.example.org"]);
  });

  it("counts the loading of the Kubernetes library as nobody's silence", async () => {
    jest.doMock("@kubernetes/client-node", () => {
      for (const end = Date.now() + 1_500; Date.now() < end;);
      return {};
    });
    try {
      const connect: Connect = (cloud) => ({
        ...world.connect(cloud),
        version: async () => {
          await import("@kubernetes/client-node");
          await new Promise((resolve) => setTimeout(resolve, 100));
          return "v1.34.4";
        },
      });
      const { others } = await evict(world.mesh(), "gcp", { limitMs: 1_000, connect });
      expect(others.map(({ outcome }) => outcome)).toEqual(["forgot", "forgot"]);
    } finally {
      jest.dontMock("@kubernetes/client-node");
    }
  });

  it.each([
    [false, "gcp agent evict"],
    [true, "gcp agent ban"],
  ])("has a cloud forget the SPIRE agent of a node (for good: %s)", async (ban, change) => {
    const options = { limitMs: 3_000, connect: world.connect, ban };
    const report = await evictNode(world.mesh(), "gcp", "gcp-node-1", options);
    expect(report).toEqual({ cloud: "gcp", agent: "spiffe://gcp.example.org/spire/agent/1", banned: ban });
    expect(world.changes).toEqual([change]);
    await expect(evictNode(world.mesh(), "gcp", "node-2", options)).rejects.toThrow("it has: gcp-node-1");
  });
});
