import * as pulumi from "@pulumi/pulumi";
import { reachableApiServer } from "../../../components/clouds/api-server";
import { CA, CA_DATA } from "../../support/kubeconfig";
import { valueOf } from "../../../infra/plan/recorder";

const cluster = {
  context: "x",
  kubeconfig: pulumi.secret(
    JSON.stringify({
      kind: "Config",
      clusters: [
        { name: "c", cluster: { server: "https://a.example", "certificate-authority-data": CA_DATA } },
      ],
      users: [{ name: "u", user: { token: "hunter2" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    }),
  ),
};

test("the API server of a kubeconfig is no secret, so that a preview shows it", async () => {
  const api = reachableApiServer(cluster);
  expect(await pulumi.isSecret(api)).toBe(false);
  expect(await valueOf(api)).toEqual({ server: "https://a.example", ca: CA });
});
