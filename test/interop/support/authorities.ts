// Who issues identities in these tests: SPIRE servers, and one authority that signs whatever it is asked to.
import { issue } from "../../support/certificate";
import { spireServerBinary, TestSpireServer } from "../../support/spire";

/** An X509-SVID with what proves it. All DER in base64, leaf first. */
export interface Minted {
  readonly id: string;
  readonly chain: readonly string[];
  /** PKCS#8. */
  readonly key: string;
  /** Roots of the authority that signed it. */
  readonly roots: readonly string[];
}

/** Issues identities. */
export interface Authority {
  mint(id: string): Promise<Minted>;
  remove(): Promise<void>;
}

/** A SPIRE server of `trustDomain`, asked as its operator would. */
export async function spireAuthority(trustDomain: string): Promise<Authority> {
  const server = await TestSpireServer.make(await spireServerBinary(), trustDomain);
  await server.start();
  return {
    async mint(id) {
      const args = ["x509", "mint", "-spiffeID", id, "-ttl", "1h", "-output", "json"];
      const { exitCode, stdout, stderr } = await server.run(args);
      if (exitCode !== 0) throw new Error(stderr);
      const { x509_svid, private_key, root_cas } = JSON.parse(stdout) as {
        x509_svid: string[];
        private_key: string;
        root_cas: string[];
      };
      return { id, chain: x509_svid, key: private_key, roots: root_cas };
    },
    remove: () => server.remove(),
  };
}

/** An authority that signs ids of any trust domain, as SPIRE never would. */
export function carelessAuthority(trustDomain: string): Authority {
  const root = issue({ uri: `spiffe://${trustDomain}` });
  return {
    mint(id) {
      const leaf = issue({ uri: id, ca: false, issuer: root });
      const key = leaf.key.export({ format: "der", type: "pkcs8" }).toString("base64");
      const chain = [leaf.der.toString("base64")];
      return Promise.resolve({ id, chain, key, roots: [root.der.toString("base64")] });
    },
    remove: () => Promise.resolve(),
  };
}
