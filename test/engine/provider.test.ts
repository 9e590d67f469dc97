// The providers against real SPIRE server processes on loopback, with a local process in place of exec through the Kubernetes API.
import { parseSpiffeBundle, storedBundle } from "../../spiffe/bundle";
import type { Connect } from "../../components/trust/connect";
import type { ServerLocation } from "../../components/trust/server-location";
import { fault, type FaultFacts } from "../../components/trust/fault";
import { makeAcceptedBundleProvider } from "../../components/trust/providers/accepted-bundle";
import {
  makeFederationRelationshipProvider,
  type RelationshipInputs,
} from "../../components/trust/providers/federation-relationship";
import { makeNodeEntriesProvider } from "../../components/trust/providers/node-entries";
import {
  makePartnerRelationshipProvider,
  type PartnerInputs,
} from "../../components/trust/providers/partner-relationship";
import {
  type EntryInputs,
  makeRegistrationEntryProvider,
} from "../../components/trust/providers/registration-entry";
import { type Run, spireServer } from "../../components/trust/spire-cli";
import { makeTrustBundleProvider } from "../../components/trust/providers/trust-bundle";
import { pemOf } from "../../spiffe/pem";
import { nodeAliasSpiffeId, serverSpiffeId } from "../../spiffe/spiffe-id";
import { selfSigned, spiffeBundle } from "../support/certificate";
import { spireServerBinary, TestSpireServer } from "../support/spire";

jest.setTimeout(120_000);

const AWS = "aws.example.org";
const GCP = "gcp.example.org";
let aws: TestSpireServer;
let gcp: TestSpireServer;
/** Every command that the providers ran, as `cloud: command`. */
const ran: string[] = [];
/** Called before each command; a test may make it do harm. */
let before: (cloud: string, args: string[]) => Promise<void> | void = () => undefined;

const server = (cloud: string, trustDomain: string): ServerLocation => ({
  cloud,
  trustDomain,
  namespace: "spire",
  pod: "spire-server-0",
  container: "spire-server",
});
const connect: Connect = ({ cloud }, _kubeconfig, patience) => {
  const run: Run = async (args, stdin) => {
    ran.push(`${cloud}: ${args.slice(0, 2).join(" ")}`);
    await before(cloud, args);
    return (cloud === "aws" ? aws : gcp).run(args, stdin);
  };
  return spireServer(cloud, run, { ...patience, limitMs: Math.min(patience.limitMs, 5000) });
};

const bundles = makeTrustBundleProvider(connect);
const relationships = makeFederationRelationshipProvider(connect);
const partners = makePartnerRelationshipProvider(connect);
const entries = makeRegistrationEntryProvider(connect);

const relationship = (): RelationshipInputs => ({
  target: server("gcp", GCP),
  targetKubeconfig: "gcp's",
  source: server("aws", AWS),
  sourceKubeconfig: "aws's",
  bundleEndpointUrl: aws.bundleEndpointUrl,
  endpointSpiffeId: serverSpiffeId(AWS),
  timeoutSeconds: 20,
});
const partner = (more: Partial<PartnerInputs> = {}): PartnerInputs => ({
  target: server("gcp", GCP),
  kubeconfig: "gcp's",
  trustDomain: AWS,
  bundleEndpointUrl: aws.bundleEndpointUrl,
  endpointSpiffeId: serverSpiffeId(AWS),
  bundle: "",
  timeoutSeconds: 5,
  ...more,
});
const entry = (more: Partial<EntryInputs> = {}): EntryInputs => ({
  target: server("gcp", GCP),
  kubeconfig: "gcp's",
  spiffeId: `spiffe://${GCP}/agent/planner`,
  parentId: serverSpiffeId(GCP),
  selectors: ["k8s:ns:agents", "k8s:sa:planner"],
  federatesWith: [AWS],
  x509SvidTtlSeconds: 0,
  timeoutSeconds: 5,
  ...more,
});

const bundleOf = async (which: TestSpireServer): Promise<string> =>
  (await which.run(["bundle", "show", "-format", "spiffe"])).stdout;
const digestOf = async (which: TestSpireServer) =>
  parseSpiffeBundle(await bundleOf(which), which.trustDomain, new Date()).digest;
const stored = async () => connect(server("gcp", GCP), "", { limitMs: 1000 }).bundleStored(AWS);
const storedRelationships = async () => connect(server("gcp", GCP), "", { limitMs: 1000 }).federationList();
const rotate = async (which: TestSpireServer): Promise<void> => {
  const prepared = await which.run(["localauthority", "x509", "prepare", "-output", "json"]);
  expect(prepared).toMatchObject({ exitCode: 0 });
};
const plant = async (bundle: string) =>
  expect(
    await gcp.run(["bundle", "set", "-id", `spiffe://${AWS}`, "-format", "spiffe"], bundle),
  ).toMatchObject({ exitCode: 0 });

let binary: string;
beforeAll(async () => {
  binary = await spireServerBinary();
}, 300_000);

beforeEach(async () => {
  [aws, gcp] = await Promise.all([TestSpireServer.make(binary, AWS), TestSpireServer.make(binary, GCP)]);
  await Promise.all([aws.start(), gcp.start()]);
  ran.length = 0;
  before = () => undefined;
});

afterEach(() => Promise.all([aws.remove(), gcp.remove()]));

describe("A TrustBundle", () => {
  const inputs = { target: server("aws", AWS), kubeconfig: "aws's", timeoutSeconds: 5 };

  it("outputs what the server's own bundle says", async () => {
    const { id, outs } = await bundles.create(inputs);
    expect(id).toBe(`spiffe://${AWS}`);
    expect(outs).toMatchObject({ ...inputs, trustDomain: AWS, digest: await digestOf(aws) });
    expect(outs.authorities).toMatchObject([{ spiffeId: `spiffe://${AWS}`, notAfter: outs.expiresAt }]);
  });

  it("shows a rotation at the next refresh, without a change for the next up to make", async () => {
    const { id, outs } = await bundles.create(inputs);
    await rotate(aws);
    const read = await bundles.read(id, outs);
    expect(read.props.authorities).toHaveLength(2);
    expect(read.props.sequence).toBeGreaterThan(outs.sequence);
    expect(await bundles.diff(id, read.props, inputs)).toMatchObject({ changes: false });
  });

  it("waits for a server that starts", async () => {
    await aws.kill();
    const creating = bundles.create(inputs);
    await aws.start();
    expect((await creating).outs.digest).toBe(await digestOf(aws));
  });

  it("fails with the server's own words when the server does not come", async () => {
    await aws.kill();
    await expect(bundles.create({ ...inputs, timeoutSeconds: 1 })).rejects.toThrow(
      /^aws: spire-server healthcheck failed \(exit 1\): Error: server is unhealthy: unable to determine health \(gave up waiting for spire-server healthcheck after \d s\)$/,
    );
  });

  it("refuses a server of another trust domain than the one expected", async () => {
    const other = { ...inputs, target: server("aws", "azure.example.org") };
    await expect(bundles.create(other)).rejects.toThrow(
      /bundle of trust domain azure\.example\.org refused: .* authority of spiffe:\/\/aws\.example\.org/,
    );
  });
});

describe("A FederationRelationship", () => {
  it("gives the target the endpoint and the bundle of the source, and proves it by a live fetch", async () => {
    const { id, outs } = await relationships.create(relationship());
    expect(id).toBe(`${GCP}/${AWS}`);
    expect(outs).toMatchObject({
      trustDomain: AWS,
      bundleState: "current",
      storedDigest: await digestOf(aws),
    });
    expect(ran).toContain("gcp: federation refresh");
    expect(await storedRelationships()).toMatchObject([
      {
        trust_domain: AWS,
        bundle_endpoint_url: aws.bundleEndpointUrl,
        https_spiffe: { endpoint_spiffe_id: serverSpiffeId(AWS) },
      },
    ]);
  });

  it("changes nothing when a refresh finds all as it was", async () => {
    const { id, outs } = await relationships.create(relationship());
    ran.length = 0;
    const read = await relationships.read(id, outs);
    expect(read).toEqual({ id, props: outs, inputs: relationship() });
    expect(await relationships.diff(id, read.props, relationship())).toEqual({
      changes: false,
      replaces: [],
      deleteBeforeReplace: false,
    });
    expect(ran.sort()).toEqual(["aws: bundle show", "gcp: federation list"]);
  });

  it("adopts what an interrupted up left, and overwrites nothing in it", async () => {
    await relationships.create(relationship());
    ran.length = 0;
    const again = await relationships.create(relationship());
    expect(again.outs.bundleState).toBe("current");
    expect(ran.filter((command) => /create|update/.test(command))).toEqual([]);
  });

  it("is finished by the next up when the target is killed in mid-create", async () => {
    let restarted: Promise<void> | undefined;
    before = async (cloud, args) => {
      if (!restarted && cloud === "gcp" && args[1] === "refresh") {
        await gcp.kill();
        restarted = gcp.start();
      }
    };
    expect((await relationships.create(relationship())).outs.bundleState).toBe("current");
    expect(restarted).toBeDefined();
    await restarted;
  });

  it("is not made twice when the answer to its creation was lost", async () => {
    before = async (cloud, args) => {
      if (cloud === "gcp" && args[1] === "create") {
        before = () => undefined;
        const inputs = relationship();
        const bundle = JSON.parse(await bundleOf(aws)) as unknown;
        const made = {
          trustDomain: AWS,
          bundleEndpointURL: inputs.bundleEndpointUrl,
          bundleEndpointProfile: "https_spiffe",
          endpointSPIFFEID: inputs.endpointSpiffeId,
          trustDomainBundle: bundle,
          trustDomainBundleFormat: "spiffe",
        };
        await gcp.run(
          ["federation", "create", "-data", "-"],
          JSON.stringify({ federationRelationships: [made] }),
        );
      }
    };
    expect((await relationships.create(relationship())).outs.bundleState).toBe("current");
    expect(await storedRelationships()).toHaveLength(1);
  });

  it("that was removed by hand is seen by a refresh and made anew", async () => {
    const { id, outs } = await relationships.create(relationship());
    await gcp.run(["federation", "delete", "-id", AWS]);
    expect((await relationships.read(id, outs)).id).toBe("");
    expect((await relationships.create(relationship())).outs.bundleState).toBe("current");
  });

  it("is gone after the target lost its database", async () => {
    const { id, outs } = await relationships.create(relationship());
    await gcp.loseDatabase();
    expect((await relationships.read(id, outs)).id).toBe("");
  });

  it("is repaired after the source lost its database, because the target could never again authenticate it by itself", async () => {
    const { id, outs } = await relationships.create(relationship());
    await aws.loseDatabase();
    const read = await relationships.read(id, outs);
    expect(read.props.bundleState).toBe("stale");
    expect(await relationships.diff(id, read.props, relationship())).toMatchObject({
      changes: true,
      replaces: [],
    });
    const updated = await relationships.update(id, read.props, relationship());
    expect(updated.outs).toMatchObject({ bundleState: "current", storedDigest: await digestOf(aws) });
  });

  it("with a tampered bundle is seen by a refresh and repaired", async () => {
    const { id, outs } = await relationships.create(relationship());
    await plant(spiffeBundle([selfSigned({ uri: `spiffe://${AWS}` })], { spiffe_sequence: 99 }));
    const read = await relationships.read(id, outs);
    expect(read.props.bundleState).toBe("stale");
    const { outs: repaired } = await relationships.update(id, read.props, relationship());
    expect(repaired.storedDigest).toBe(await digestOf(aws));
  });

  it("whose bundle was taken away is seen by a refresh and repaired", async () => {
    const { id, outs } = await relationships.create(relationship());
    await gcp.run(["bundle", "delete", "-id", `spiffe://${AWS}`, "-mode", "dissociate"]);
    const read = await relationships.read(id, outs);
    expect(read.props.bundleState).toBe("missing");
    expect(await relationships.diff(id, read.props, relationship())).toMatchObject({ changes: true });
    expect((await relationships.update(id, read.props, relationship())).outs.bundleState).toBe("current");
  });

  it("follows a rotation of the source without a change for the next up to make", async () => {
    const { id, outs } = await relationships.create(relationship());
    await rotate(aws);
    const read = await relationships.read(id, outs);
    expect(read.props).toMatchObject({ bundleState: "current", storedDigest: await digestOf(aws) });
    expect(read.props.storedDigest).not.toBe(outs.storedDigest);
    expect(await relationships.diff(id, read.props, relationship())).toMatchObject({ changes: false });
  });

  it("that was cut off for a whole rotation is seen by a refresh, though both still share an authority, and is repaired", async () => {
    const { id, outs } = await relationships.create(relationship());
    await gcp.kill();
    await rotate(aws);
    const shown = await aws.run(["localauthority", "x509", "show", "-output", "json"]);
    const { prepared } = JSON.parse(shown.stdout) as { prepared: { authority_id: string } };
    const activated = await aws.run([
      "localauthority",
      "x509",
      "activate",
      "-authorityID",
      prepared.authority_id,
    ]);
    expect(activated).toMatchObject({ exitCode: 0 });
    // Its endpoint presents a certificate of the new authority after a restart at the latest.
    await aws.kill();
    await Promise.all([aws.start(), gcp.start()]);
    const read = await relationships.read(id, outs);
    expect(read.props).toMatchObject({ bundleState: "stale", storedDigest: outs.storedDigest });
    const { outs: repaired } = await relationships.update(id, read.props, relationship());
    expect(repaired).toMatchObject({ bundleState: "current", storedDigest: await digestOf(aws) });
    expect(
      (await bundles.create({ target: server("aws", AWS), kubeconfig: "", timeoutSeconds: 5 })).outs
        .authorities,
    ).toHaveLength(2);
  });

  it("is unverified, and neither gone nor changed, while the endpoint cannot be reached after a rotation", async () => {
    const { id, outs } = await relationships.create(relationship());
    const old = await bundleOf(aws);
    await rotate(aws);
    const rotated = await bundleOf(aws);
    expect(rotated).not.toBe(old);
    before = (cloud, args) => (cloud === "gcp" && args[1] === "refresh" ? aws.kill() : undefined);
    const read = await relationships.read(id, outs);
    expect(read.props.bundleState).toBe("unverified");
    expect(await relationships.diff(id, read.props, relationship())).toMatchObject({ changes: false });
  });

  it("never overwrites a newer stored bundle with an older one", async () => {
    const old = await bundleOf(aws);
    await relationships.create(relationship());
    await rotate(aws);
    await gcp.run(["federation", "refresh", "-id", `spiffe://${AWS}`]);
    const newer = (await stored())?.x509_authorities;
    expect(newer).toHaveLength(2);
    // The source shows its bundle of before the rotation, as one restored from a backup would, and its endpoint is away.
    const stale: Connect = (which, kubeconfig, patience) => {
      const real = connect(which, kubeconfig, patience);
      return which.cloud === "aws"
        ? { ...real, healthcheck: () => Promise.resolve(), bundleShow: () => Promise.resolve(old) }
        : real;
    };
    await aws.kill();
    const behind = makeFederationRelationshipProvider(stale);
    await expect(behind.create({ ...relationship(), timeoutSeconds: 1 })).rejects.toThrow(
      /connection refused/,
    );
    expect((await stored())?.x509_authorities).toEqual(newer);
  });

  it("fails at once when what answers at the endpoint is another server, and says what to check", async () => {
    const wrong = { ...relationship(), bundleEndpointUrl: gcp.bundleEndpointUrl, timeoutSeconds: 60 };
    await expect(relationships.create(wrong)).rejects.toThrow(
      /^gcp: spire-server federation refresh failed \(exit 1\): .*x509svid: .*is of trust domain gcp\.example\.org, not aws\.example\.org: the address is another cloud's\.$/s,
    );
    // What was half made is adopted when the address is put right.
    expect((await relationships.create(relationship())).outs.bundleState).toBe("current");
  });

  it("fails at once when the endpoint presents another SPIFFE id", async () => {
    const wrong = { ...relationship(), endpointSpiffeId: `spiffe://${AWS}/other`, timeoutSeconds: 60 };
    await expect(relationships.create(wrong)).rejects.toThrow(
      /unexpected ID .* The endpoint must present spiffe:\/\/aws\.example\.org\/other/s,
    );
  });

  it("takes a changed endpoint by an update in place", async () => {
    const moved = relationship();
    const { id, outs } = await relationships.create({
      ...moved,
      bundleEndpointUrl: moved.bundleEndpointUrl.replace("127.0.0.1", "localhost"),
    });
    expect(await relationships.diff(id, outs, moved)).toMatchObject({ changes: true, replaces: [] });
    await relationships.update(id, outs, moved);
    expect(await storedRelationships()).toMatchObject([{ bundle_endpoint_url: moved.bundleEndpointUrl }]);
  });

  it("runs no command for a kubeconfig that was rendered anew", async () => {
    const { id, outs } = await relationships.create(relationship());
    const renewed = { ...relationship(), targetKubeconfig: "new", sourceKubeconfig: "new" };
    expect(await relationships.diff(id, outs, renewed)).toEqual({
      changes: true,
      replaces: [],
      deleteBeforeReplace: false,
    });
    ran.length = 0;
    expect((await relationships.update(id, outs, renewed)).outs).toEqual({ ...outs, ...renewed });
    expect(ran).toEqual([]);
  });

  it("leaves in the right order and with nothing behind, and may be gone already", async () => {
    const { id, outs } = await relationships.create(relationship());
    const { id: entryId } = await entries.create(entry());
    ran.length = 0;
    await relationships.delete(id, outs);
    // Whether it is still the server of that trust domain comes first.
    expect(ran).toEqual(["gcp: bundle show", "gcp: federation delete", "gcp: bundle delete"]);
    expect(await storedRelationships()).toEqual([]);
    expect(await stored()).toBeUndefined();
    expect(
      (await connect(server("gcp", GCP), "", { limitMs: 1000 }).entryList()).find(
        (found) => found.id === entryId,
      ),
    ).toMatchObject({ federates_with: [] });
    await relationships.delete(id, outs);
  });

  it("is read as an error, never as gone, while a server cannot be reached", async () => {
    const { id, outs } = await relationships.create(relationship());
    await gcp.kill();
    await expect(relationships.read(id, outs)).rejects.toThrow(/^gcp: spire-server federation list failed/);
  });
});

describe("A RegistrationEntry", () => {
  beforeEach(async () => {
    await relationships.create(relationship());
    ran.length = 0;
  });

  it("is made on the server, and a refresh finds it as it was", async () => {
    const { id, outs } = await entries.create(entry());
    expect(outs.entryId).toBe(id);
    expect(await entries.read(id, outs)).toEqual({ id, props: outs, inputs: entry() });
    expect(await entries.diff(id, outs, entry())).toEqual({
      changes: false,
      replaces: [],
      deleteBeforeReplace: false,
    });
  });

  it("is read once for all entries of a server", async () => {
    const made = await Promise.all(
      ["a", "b", "c"].map((name) => entries.create(entry({ spiffeId: `spiffe://${GCP}/${name}` }))),
    );
    ran.length = 0;
    const read = await Promise.all(made.map(({ id, outs }) => entries.read(id, outs)));
    expect(read.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    expect(ran).toEqual(["gcp: entry show"]);
  });

  it("adopts a similar entry and brings it to what is asked for", async () => {
    const first = await entries.create(entry({ federatesWith: [] }));
    const second = await entries.create(entry({ x509SvidTtlSeconds: 600 }));
    expect(second.id).toBe(first.id);
    expect((await entries.read(second.id, second.outs)).props).toMatchObject({
      federatesWith: [AWS],
      x509SvidTtlSeconds: 600,
    });
  });

  it("leaves an entry of spire-controller-manager alone, and says whose it is", async () => {
    const { spiffeId, parentId, selectors } = entry({ spiffeId: `spiffe://${GCP}/ns/team/sa/api` });
    const made = { entry_id: "kubernetes.1", spiffe_id: spiffeId, parent_id: parentId };
    const split = selectors.map((each) => ({ type: "k8s", value: each.slice("k8s:".length) }));
    const text = JSON.stringify({ entries: [{ ...made, selectors: split }] });
    await gcp.print(["entry", "create", "-data", "-"], text);
    const shown = () => gcp.print(["entry", "show", "-entryID", "kubernetes.1", "-output", "json"]);
    const before = await shown();
    await expect(entries.create(entry({ spiffeId }))).rejects.toThrow(
      /^gcp: spiffe:\/\/gcp\.example\.org\/ns\/team\/sa\/api is registered .* by entry kubernetes\.1 of spire-controller-manager/,
    );
    expect(await shown()).toBe(before);
  });

  it("of which a peer was taken away shows it at a refresh, and is repaired by an update in place", async () => {
    const { id, outs } = await entries.create(entry());
    await gcp.run(["bundle", "delete", "-id", `spiffe://${AWS}`, "-mode", "dissociate"]);
    const read = await entries.read(id, outs);
    expect(read.props.federatesWith).toEqual([]);
    expect(await entries.diff(id, read.props, entry())).toMatchObject({ changes: true, replaces: [] });
    await plant(await bundleOf(aws));
    await entries.update(id, read.props, entry());
    expect((await entries.read(id, outs)).props.federatesWith).toEqual([AWS]);
  });

  it("cannot name a peer whose bundle is not there, and says what to do", async () => {
    await expect(entries.create(entry({ federatesWith: ["azure.example.org"] }))).rejects.toThrow(
      /^gcp: spire-server entry create failed \(exit 0\): code 13, .*gcp must hold the bundles of azure\.example\.org first/s,
    );
  });

  it("is gone after a lost database; an update that comes first makes it again under the same id", async () => {
    const { id, outs } = await entries.create(entry());
    await gcp.loseDatabase();
    expect((await entries.read(id, outs)).id).toBe("");
    const changed = entry({ federatesWith: [], x509SvidTtlSeconds: 60 });
    await entries.update(id, outs, changed);
    expect((await entries.read(id, outs)).props).toMatchObject({ entryId: id, x509SvidTtlSeconds: 60 });
  });

  it("leaves the server, and may be gone already", async () => {
    const { id, outs } = await entries.create(entry());
    await entries.delete(id, outs);
    expect((await entries.read(id, outs)).id).toBe("");
    await entries.delete(id, outs);
  });
});

describe("NodeEntries", () => {
  const nodes = makeNodeEntriesProvider(connect, async () => ["uid-1", "uid-2"], 0);
  const inputs = { target: server("gcp", GCP), kubeconfig: "gcp's", clusterName: "gcp", timeoutSeconds: 5 };
  const alias = nodeAliasSpiffeId(GCP, "gcp");
  const parents = async () => {
    const all = await connect(server("gcp", GCP), "", { limitMs: 1000 }).entryList();
    return all
      .filter(({ spiffe_id: { trust_domain, path } }) => `spiffe://${trust_domain}${path}` === alias)
      .map(({ parent_id: { path } }) => path)
      .sort();
  };

  it("give the agent of each node what is registered for all, adopt what an interrupted up left, and leave alone", async () => {
    const selectors = ["k8s_psat:cluster:gcp"];
    await entries.create(entry({ spiffeId: alias, selectors, federatesWith: [] }));
    const { id, outs } = await nodes.create(inputs);
    expect(await nodes.create(inputs)).toEqual({ id, outs });
    const agents = ["uid-1", "uid-2"].map((uid) => `/spire/agent/k8s_psat/gcp/${uid}`);
    expect(await parents()).toEqual([...agents, "/spire/server"]);
    expect((await nodes.read(id, outs)).id).toBe(id);

    await nodes.delete(id, outs);
    expect(await parents()).toEqual(["/spire/server"]);
    expect((await nodes.read(id, outs)).id).toBe("");
    await nodes.delete(id, outs);
  });
});

describe("A PartnerRelationship", () => {
  it("begins with the bundle that it is given, and proves that the live endpoint answers", async () => {
    const { id, outs } = await partners.create(partner({ bundle: await bundleOf(aws) }));
    expect(outs.storedDigest).toBe(await digestOf(aws));
    // An entry can name it from now on.
    await entries.create(entry());
    expect((await partners.read(id, outs)).props).toMatchObject({
      storedDigest: outs.storedDigest,
      bundleEndpointUrl: aws.bundleEndpointUrl,
      endpointSpiffeId: serverSpiffeId(AWS),
    });
  });

  it("keeps what was fetched, since the first bundle of long ago counts no more", async () => {
    const bundle = await bundleOf(aws);
    const { id, outs } = await partners.create(partner({ bundle }));
    await rotate(aws);
    await gcp.run(["federation", "refresh", "-id", `spiffe://${AWS}`]);
    const read = await partners.read(id, outs);
    expect(read.props.storedDigest).toBe(await digestOf(aws));
    expect(read.props.storedDigest).not.toBe(outs.storedDigest);
    // A rotation is no change of the program's.
    expect(await partners.diff(id, read.props, partner({ bundle }))).toMatchObject({ changes: false });
    await partners.create(partner({ bundle }));
    expect(await stored().then((found) => found && storedBundle(found).digest)).toBe(await digestOf(aws));
  });

  it("is refused when the endpoint is not who it should be, and says so", async () => {
    const [other, bundle] = [selfSigned({ uri: `spiffe://${AWS}` }), await bundleOf(aws)];
    await expect(partners.create(partner({ bundle: spiffeBundle([other]) }))).rejects.toThrow(
      /is not vouched for by the bundle stored for aws\.example\.org/,
    );
    const id = `spiffe://${AWS}/somebody/else`;
    await expect(partners.create(partner({ bundle, endpointSpiffeId: id }))).rejects.toThrow(
      /The endpoint must present|is not vouched for/,
    );
    // With the right words a second attempt mends what the first left.
    const { outs } = await partners.create(partner({ bundle }));
    const mended = await partners.update("", { ...outs, bundle: "" }, partner({ bundle }));
    expect(mended.outs.storedDigest).toBe(await digestOf(aws));
  });

  it("shows at a refresh that its bundle was taken away, and is given it anew", async () => {
    const given = partner({ bundle: await bundleOf(aws) });
    const { id, outs } = await partners.create(given);
    await gcp.run(["bundle", "delete", "-id", `spiffe://${AWS}`, "-mode", "dissociate"]);
    const { props } = await partners.read(id, outs);
    expect(props.storedDigest).toBe("");
    expect(await partners.diff(id, props, given)).toMatchObject({ changes: true, replaces: [] });
    expect((await partners.update(id, props, given)).outs.storedDigest).toBe(await digestOf(aws));
  });

  it("leaves with its bundle and its name in entries, and may be gone already", async () => {
    const { id, outs } = await partners.create(partner({ bundle: await bundleOf(aws) }));
    const made = await entries.create(entry());
    await partners.delete(id, outs);
    expect(await stored()).toBeUndefined();
    expect((await entries.read(made.id, made.outs)).props.federatesWith).toEqual([]);
    expect((await partners.read(id, outs)).id).toBe("");
    await partners.delete(id, outs);
  });

  it("by https_web trusts what has a public certificate alone", async () => {
    await expect(partners.create(partner({ endpointSpiffeId: "" }))).rejects.toThrow(
      /certificate|not vouched/,
    );
    expect(await storedRelationships()).toMatchObject([{ trust_domain: AWS, https_web: {} }]);
  });
});

describe("An AcceptedBundle", () => {
  const accepted = makeAcceptedBundleProvider(connect);
  const inputs = async () => ({
    target: server("gcp", GCP),
    kubeconfig: "gcp's",
    trustDomain: AWS,
    bundle: await bundleOf(aws),
    timeoutSeconds: 5,
  });

  it("is stored, in SPIFFE format and as PEM, is given anew where it was taken away, and leaves with its name in every entry", async () => {
    const news = await inputs();
    const { id, outs } = await accepted.create(news);
    expect(outs.storedDigest).toBe(await digestOf(aws));
    const authorities = (await stored())!.x509_authorities!.map(({ asn1 }) => Buffer.from(asn1, "base64"));
    const pem = { ...news, bundle: authorities.map((der) => pemOf("CERTIFICATE", der)).join("") };
    expect((await accepted.update(id, outs, pem)).outs.storedDigest).toBe(outs.storedDigest);
    const made = await entries.create(entry());

    await gcp.run(["bundle", "delete", "-id", `spiffe://${AWS}`, "-mode", "dissociate"]);
    const read = await accepted.read(id, outs);
    expect(read.props.storedDigest).toBe("");
    expect(await accepted.diff(id, read.props, news)).toMatchObject({ changes: true, replaces: [] });
    expect((await accepted.update(id, read.props, news)).outs.storedDigest).toBe(outs.storedDigest);

    await accepted.delete(id, outs);
    expect(await stored()).toBeUndefined();
    const { inputs: left } = await entries.read(made.id, made.outs);
    expect(left?.federatesWith).toEqual([]);
  });

  it("of the server's trust domain of before is gone, and its deletion takes nothing of what is there now", async () => {
    const news = await inputs();
    const { id, outs } = await accepted.create(news);
    const before = { ...outs, target: server("gcp", "former.example.org") };
    expect((await accepted.read(id, before)).id).toBe("");
    await accepted.delete(id, before);
    expect(await stored()).toBeDefined();
    await relationships.delete("id", {
      ...relationship(),
      target: before.target,
      trustDomain: AWS,
      bundleState: "current",
      storedDigest: outs.storedDigest,
      verifiedAt: "",
    });
    expect(await stored()).toBeDefined();
    const { outs: bundle } = await bundles.create({ ...news, target: server("gcp", GCP) });
    expect((await bundles.read("id", { ...bundle, target: before.target })).id).toBe("");
  });
});

describe("A server without a pod", () => {
  const inputs = { target: server("gcp", GCP), kubeconfig: "gcp's", timeoutSeconds: 5 };

  /** Makes all three on gcp's server, and then lets every command there fail with these facts. */
  const withoutPod = async (facts: FaultFacts) => {
    const made = [
      [bundles, await bundles.create(inputs)],
      [relationships, await relationships.create(relationship())],
      [entries, await entries.create(entry())],
    ] as const;
    before = (cloud) => {
      if (cloud === "gcp")
        throw fault("gcp: there is no pod spire/spire-server-0", { podMissing: true, ...facts });
    };
    // Each kind of state goes to the provider that made it, which the types of a list cannot say.
    return made.map(([provider, { id, outs }]) => ({
      read: () => provider.read(id, outs as never),
      remove: () => provider.delete(id, outs as never),
    }));
  };

  it("is an error to read from, and to delete from all that its volume keeps, while its StatefulSet is there", async () => {
    const [bundle, ...others] = await withoutPod({});
    for (const { read } of [bundle!, ...others])
      await expect(read()).rejects.toThrow(/^gcp: there is no pod/);
    for (const { remove } of others)
      await expect(remove()).rejects.toThrow(
        /^gcp: there is no pod .*\. Its volume still holds what is to be deleted\. A server that shall not come back: delete its StatefulSet spire-server, and its volume with it\.$/,
      );
    // It was right to keep them: they are there when the pod is.
    before = () => undefined;
    for (const { read } of others) expect((await read()).id).not.toBe("");
  });

  it("has nothing any more, and nothing to delete, when its StatefulSet is gone too", async () => {
    const made = await withoutPod({ serverGone: true });
    for (const { read } of made) expect((await read()).id).toBe("");
    for (const { remove } of made) await remove();
  });

  it.each([
    ["unverified", "while its StatefulSet is there", {}],
    ["stale", "when its CA is gone with its StatefulSet", { serverGone: true }],
  ])("leaves a relationship %s in which it is the source, %s", async (bundleState, _when, facts) => {
    const { id, outs } = await relationships.create(relationship());
    before = (cloud) => {
      if (cloud === "aws")
        throw fault("aws: there is no pod spire/spire-server-0", { podMissing: true, ...facts });
    };
    const read = await relationships.read(id, outs);
    expect(read).toMatchObject({ id, props: { bundleState, storedDigest: outs.storedDigest } });
  });
});
