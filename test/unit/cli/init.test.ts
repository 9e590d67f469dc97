// `mesh init`: what it writes passes the program's own check and can be planned, and what it cannot write it says.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { PassThrough } from "node:stream";
import { dump, load } from "js-yaml";
import { processAsk } from "../../../cli/ask";
import { init, type InitFlags } from "../../../cli/init";
import { run } from "../../../cli/main";
import { PROJECT } from "../../../components/project";
import { KUBECONFIG } from "../../../infra/plan/fakes";
import { configOf, planOf } from "../../../infra/plan/plan";
import { reportOf } from "../../../infra/plan/report";

// In jest its own loader takes the place of that of plain Node.
jest.mock("../../../cli/load", () => ({
  load: (file: string): unknown => jest.requireActual(`../../../${file}`),
}));

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "mesh-init-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const written = (stack: string) => readFileSync(path.join(folder, `Pulumi.${stack}.yaml`), "utf8");
/** A kubeconfig of a cluster of its own. */
const kubeconfig = (name: string, context: string) => {
  const text = KUBECONFIG(context).replace("cluster.example", `${name}.example`);
  writeFileSync(path.join(folder, name), text);
  return name;
};
const existing = (cloud: string, range: number, ...more: string[]) => [
  `clouds.${cloud}.kubeconfig=${kubeconfig(cloud, `${cloud}-cluster`)}`,
  `clouds.${cloud}.region=on-prem`,
  `clouds.${cloud}.podCidr=10.${range}.0.0/16`,
  `clouds.${cloud}.serviceCidr=10.${range + 1}.0.0/16`,
  ...more,
];
const silent = { say: () => undefined };

interface Case extends InitFlags {
  readonly set?: string[];
}
const GCP = "clouds.gcp.project=my-project";
const TAILNET = "network.tailscale.tailnet=tail1a2b3c.ts.net";
const GATEWAY = (cloud: string, host: number, asn: number) => [
  `clouds.${cloud}.vpn.gatewayAddresses=198.51.100.${host}, 198.51.100.${host + 1}`,
  `clouds.${cloud}.vpn.asn=${asn}`,
];

const CASES: [string, () => Case][] = [
  ["aws alone", () => ({ clouds: "aws", network: "direct" })],
  [
    "the three clouds on a tailnet",
    () => ({ clouds: "aws,gcp,azure", network: "tailscale", set: [GCP, TAILNET] }),
  ],
  ["the three clouds by tunnels", () => ({ clouds: "aws, gcp, azure", network: "vpn", set: [GCP] })],
  [
    "gcp under another name",
    () => ({ clouds: "eu=gcp,aws", network: "vpn", set: ["agentweave-mesh:clouds.eu.project=my-project"] }),
  ],
  [
    "a cluster of one's own",
    () => ({ clouds: "onprem=existing", network: "direct", set: existing("onprem", 200) }),
  ],
  [
    "two clusters of one's own on a tailnet",
    () => ({
      clouds: "a=existing,b=existing",
      network: "tailscale",
      set: [TAILNET, ...existing("a", 200), ...existing("b", 210)],
    }),
  ],
  [
    "a cluster of one's own beside all clouds, by tunnels",
    () => ({
      clouds: "aws,gcp,azure,onprem=existing",
      network: "vpn",
      set: [GCP, ...existing("onprem", 200, ...GATEWAY("onprem", 7, 64600))],
    }),
  ],
  [
    "two regions of a provider",
    () => ({
      clouds: "east=aws,west=aws",
      network: "tailscale",
      set: [
        TAILNET,
        "clouds.west.region=us-west-2",
        "clouds.west.network.vpcCidr=10.40.0.0/16",
        "clouds.west.network.serviceCidr=10.41.0.0/16",
      ],
    }),
  ],
  [
    "settings of every kind",
    () => ({
      clouds: "aws",
      network: "direct",
      set: [
        "agents.replicas=3",
        "clouds.aws.kubernetesVersion=1.35",
        "clouds.aws.roles=agent,worker",
        'tags["team"]=mesh',
        "spire.protect=true",
      ],
      domain: "mesh.example.org",
    }),
  ],
];

describe.each(CASES)("%s", (_, flagsOf) => {
  test("passes the program's check and the policy pack, and can be planned", async () => {
    const { domain = "mesh.example.org", ...flags } = flagsOf();
    const said = await init("staging", { domain, ...flags }, silent, folder);
    const file = written("staging");
    expect(file).toMatch(/^# yaml-language-server: \$schema=\.\/schema\/pulumi-stack\.schema\.json\n/);
    const { trust, network } = configOf("staging", { file });
    expect([trust.domain, network.mode]).toEqual([domain, flags.network]);
    const { count, violations } = reportOf(await planOf("staging", { file }));
    expect([count > 40, violations]).toEqual([true, 0]);
    expect(said).toMatch(
      /pulumi stack init staging[^]*npx mesh plan --stack staging[^]*pulumi preview --stack staging/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith("Pulumi."))).toEqual(["Pulumi.staging.yaml"]);
  });
});

const MODES = ["tailscale", "vpn", "direct"];
const PROVIDERS = ["aws", "azure", "existing", "gcp"];
const subsets = PROVIDERS.reduce<string[][]>(
  (all, one) => [...all, ...all.map((some) => [...some, one])],
  [[]],
);

test.each(subsets.slice(1).map((clouds) => clouds.join()))(
  "%s passes the program's check in every network mode",
  async (clouds) => {
    for (const network of MODES) {
      const set = [
        ...(clouds.includes("gcp") ? [GCP] : []),
        ...(network === "tailscale" ? [TAILNET] : []),
        ...(clouds.includes("existing") ? existing("existing", 200) : []),
        ...(clouds.includes("existing") && network === "vpn" ? GATEWAY("existing", 7, 64600) : []),
      ];
      await init(network, { clouds, network, domain: "mesh.example.org", set }, silent, folder);
      const config = configOf(network, { file: written(network) });
      expect([config.network.mode, config.clouds.map(({ provider }) => provider).join()]).toEqual([
        network,
        clouds,
      ]);
    }
  },
);

/** Whoever answers in this order, and what was asked. */
function answering(...answers: string[]) {
  const asked: string[] = [];
  const ask = (question: string) => {
    asked.push(question);
    const answer = answers[asked.length - 1];
    return answer === undefined
      ? Promise.reject(new Error(`nobody answers ${question}`))
      : Promise.resolve(answer);
  };
  return { asked, reader: { ...silent, ask } };
}
const config = (file: string) => (load(file) as { config: Record<string, unknown> }).config;

test("asks for what there is no default for, in the words of the settings, and again where an answer cannot be used", async () => {
  const own = kubeconfig("onprem", "kind-mesh");
  const { asked, reader } = answering(
    "gcp,On_Prem=existing",
    "tailscale",
    "",
    "gcp,onprem=existing",
    "12345",
    "my-project",
    own,
    "on-prem",
    // The default range of the pods of gcp.
    "10.21.0.0/16",
    "10.96.0.0/16",
    "10.50.0.0/16",
    "tail1a2b3c.ts.net",
    "kind-mesh",
  );
  await init("staging", {}, reader, folder);
  expect(asked.map((question) => question.split(" ", 3).join(" "))).toEqual([
    "clouds: is missing;",
    "network.mode: How agents",
    "trust.domain: Domain under",
    "clouds.On_Prem: is no",
    "clouds.gcp.project: Project ID",
    'clouds.gcp.project: is "12345";',
    "clouds.onprem.kubeconfig: Path of",
    "clouds.onprem.region: Region the",
    "clouds.onprem.podCidr: Range of",
    "clouds.onprem.serviceCidr: Range of",
    "clouds.gcp.network.podCidr: 10.21.0.0/16 overlaps",
    "network.tailscale.tailnet: MagicDNS domain",
    'clouds.onprem.context: is "onprem-cluster",',
  ]);
  expect(config(written("staging"))).toEqual({
    "pulumi:disable-default-providers": ["kubernetes"],
    "agentweave-mesh:trust": { domain: "example.org" },
    "agentweave-mesh:clouds": {
      gcp: { provider: "gcp", project: "my-project", network: { podCidr: "10.50.0.0/16" } },
      onprem: {
        provider: "existing",
        kubeconfig: own,
        region: "on-prem",
        podCidr: "10.21.0.0/16",
        serviceCidr: "10.96.0.0/16",
        context: "kind-mesh",
      },
    },
    "agentweave-mesh:network": { mode: "tailscale", tailscale: { tailnet: "tail1a2b3c.ts.net" } },
    "agentweave-mesh:agents": { environment: "development" },
    "agentweave-mesh:tags": { project: "agentweave-mesh" },
  });
});

describe("what cannot be written", () => {
  const refused = async (stack: string, flags: InitFlags, ask?: (question: string) => Promise<string>) => {
    const said: string[] = [];
    const error = await init(stack, flags, { ask, say: (line) => said.push(line) }, folder).catch(
      (thrown: Error) => thrown,
    );
    return [...said, (error as Error).message].join("\n");
  };
  afterEach(() => expect(readdirSync(folder).filter((name) => /staging/.test(name))).toEqual([]));

  test.each<[string, InitFlags, RegExp]>([
    [
      "all that is missing is named at once, with the options",
      {},
      /--clouds, --network[^]*3 problems:[^]*:clouds: is missing[^]*:network\.mode: is missing[^]*:trust\.domain: is missing/,
    ],
    [
      "what the clouds and the network lack, too",
      { clouds: "gcp,a=existing", network: "vpn", domain: "mesh.example.org" },
      /7 problems:[^]*a\.kubeconfig[^]*a\.region[^]*a\.podCidr[^]*a\.serviceCidr[^]*gcp\.project[^]*a\.vpn\.gatewayAddresses[^]*a\.vpn\.asn/,
    ],
    [
      "mistakes are told beside what is missing",
      { clouds: "aws,foo", network: "vnp", domain: "https://x", set: ["clouds.aws.regon=x"] },
      /:clouds\.aws\.regon: is not a known key; write region[^]*:clouds\.foo\.provider: is "foo"; write one of/,
    ],
    [
      "a cloud that is there twice",
      { clouds: "aws,aws", network: "direct", domain: "mesh.example.org" },
      /1 problem:[^]*:clouds: /,
    ],
    [
      "a secret in plain text, which is not shown",
      {
        clouds: "aws",
        network: "tailscale",
        domain: "mesh.example.org",
        set: [TAILNET, "network.tailscale.manageTailnet=false", "network.tailscale.authKey=tskey-1"],
      },
      /1 problem:\n.*authKey: is a secret, .* pulumi config set --stack staging --secret --path 'agentweave-mesh:network\.tailscale\.authKey'/,
    ],
    ["an option without a value", { set: ["clouds"] }, /--set clouds: write <path>=<value>/],
  ])("%s", async (_, flags, message) => {
    const said = await refused("staging", flags);
    expect(said).toMatch(message);
    expect(said).not.toContain("tskey-1");
  });

  test("a key that is not known is no question", async () => {
    const { asked, reader } = answering();
    const flags = { clouds: "aws", network: "direct", domain: "mesh.example.org", set: ["clouds.aws.foo=1"] };
    expect(await refused("staging", flags, reader.ask)).toMatch(/clouds\.aws\.foo: is not a known key/);
    expect(asked).toEqual([]);
  });

  test("a stack whose name is no file's", async () => {
    expect(await refused("org/staging", {})).toMatch(/"org\/staging" is no name/);
  });
});

test("a file that is there stays as it is, one that another wrote in the meantime too", async () => {
  const file = path.join(folder, "Pulumi.staging.yaml");
  const flags = { clouds: "aws", network: "direct" };
  const late = { ...silent, ask: () => (writeFileSync(file, "mine"), Promise.resolve("mesh.example.org")) };
  await expect(init("staging", flags, late, folder)).rejects.toThrow(/there already, and stays as it is/);
  await expect(init("staging", {}, late, folder)).rejects.toThrow(/there already, and stays as it is/);
  expect(readFileSync(file, "utf8")).toBe("mine");
  expect(readdirSync(folder)).toEqual(["Pulumi.staging.yaml"]);
});

test("secrets that the stack needs are set afterwards, as it says, and then it passes", async () => {
  const set = [
    "network.tailscale.tailnet=mesh.internal",
    "network.tailscale.loginServer=https://headscale.example.org",
    "network.tailscale.manageTailnet=false",
    "images.logins[0].registry=registry.example.org",
    "images.logins[0].username=puller",
  ];
  const flags = { clouds: "aws", network: "tailscale", domain: "mesh.example.org", set };
  const said = await init("staging", flags, silent, folder);
  const places = [...said.matchAll(/--secret --path '(.*?)'/g)].map(([, place]) => place);
  expect(places).toEqual([
    "agentweave-mesh:images.logins[0].password",
    "agentweave-mesh:network.tailscale.authKey",
  ]);
  const file = written("staging");
  expect(() => configOf("staging", { file })).toThrow(/authKey: is missing/);
  // As Pulumi does it.
  const settings = config(file) as {
    "agentweave-mesh:network": { tailscale: object };
    "agentweave-mesh:images": { logins: object[] };
  };
  Object.assign(settings["agentweave-mesh:network"].tailscale, { authKey: { secure: "v1:x" } });
  Object.assign(settings["agentweave-mesh:images"].logins[0]!, { password: { secure: "v1:x" } });
  expect(configOf("staging", { file: dump({ config: settings }) }).network.mode).toBe("tailscale");
});

test("the command asks nobody where there is no terminal, and ends with exit code 2", async () => {
  const err: string[] = [];
  const terminal = { out: () => undefined, err: (text: string) => void err.push(text) };
  expect(await run(["init", "nowhere"], terminal)).toBe(2);
  expect(err.join("\n")).toMatch(/--clouds[^]*clouds: is missing/);
  expect(readdirSync(PROJECT)).not.toContain("Pulumi.nowhere.yaml");
});

describe("questions at the terminal", () => {
  const terminal = (isTTY: boolean) => Object.assign(new PassThrough(), { isTTY });

  test("are answered by lines, which may be there before them", async () => {
    const stdin = terminal(true);
    const stderr = new PassThrough();
    const ask = processAsk(stdin, stderr)!;
    const answer = ask("who? ");
    // As it is pasted.
    stdin.write("me\nhere\n");
    expect([await answer, await ask("where? ")]).toEqual(["me", "here"]);
    expect(String(stderr.read())).toMatch(/who\?[^]*where\?/);
  });

  test("end with the input", async () => {
    const stdin = terminal(true);
    const answer = processAsk(stdin, new PassThrough())!("who? ");
    stdin.end();
    await expect(answer).rejects.toMatchObject({ exitCode: 2 });
  });

  test("are none without a terminal", () => {
    expect(processAsk(terminal(false), new PassThrough())).toBeUndefined();
  });
});
