import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

const ROOT = resolve(__dirname, "../../..");

/** Which clouds' SDKs are loaded by the program's own modules, and then by a VPN between a cluster on Google Cloud and one of others. */
function sdksLoaded(): { program: string[]; vpn: string[] } {
  const program = `
    const pulumi = require("@pulumi/pulumi");
    pulumi.runtime.setMocks({
      newResource: ({ name, inputs }) => ({ id: name + "-id", state: inputs }),
      call: ({ token }) => { throw new Error("Mock not implemented: " + token); },
    }, "agentweave-mesh", "test", true);
    const loaded = () => {
      const sdks = Object.keys(require.cache).map((file) => /node_modules.@pulumi.(aws|eks|gcp|azure-native)\\b/.exec(file)?.[1]);
      return [...new Set(sdks.filter(Boolean))].sort();
    };
    // What Pulumi.yaml names.
    if (typeof require("./infra/main.js") !== "function") throw new Error("no program");
    const own = loaded();
    const { Vpn } = require("./load")(process.cwd() + "/components/network/vpn/index.ts");
    const handles = (provider, more) => ({ provider, ...more });
    new Vpn("vpn", {
      settings: { domain: "mesh.internal", firstAsn: 64800 },
      clusters: [
        { name: "gcp", sourceCidrs: ["10.1.0.0/16"], privateNetwork: handles("gcp", { region: "us-central1", networkId: pulumi.output("n") }) },
        { name: "home", sourceCidrs: ["10.2.0.0/16"], privateNetwork: handles("existing", { gateway: { addresses: ["192.0.2.1"], asn: 65001 } }) },
      ],
    });
    console.log(JSON.stringify({ program: own, vpn: loaded() }));
  `;
  const out = execFileSync(process.execPath, ["-e", program], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return JSON.parse(out.trim().split("\n").at(-1)!);
}

test("a VPN loads the SDKs of the clouds that it connects and of no other", () => {
  expect(sdksLoaded()).toEqual({ program: [], vpn: ["gcp"] });
}, 120_000);
