import { readdirSync } from "node:fs";
import { OPA_FILES } from "../../components/workloads/opa-pod";
import { opa, POLICIES } from "../support/opa";

const files = readdirSync(POLICIES);

describe("the policies", () => {
  test("pass their own tests, which reach every line", async () => {
    await opa(["test", ".", "--coverage", "--threshold", "100", "--format", "json"]);
  });

  test("are formatted as OPA formats", async () => {
    await opa(["fmt", "--diff", "--fail", "."]);
  });

  test("pass OPA's strict check", async () => {
    await opa(["check", "--strict", "."]);
  });

  test("are all in the clusters, without their tests", () => {
    const policies = files.filter((file) => file.endsWith(".rego") && !file.endsWith("_test.rego"));
    expect([...OPA_FILES.policies].sort()).toEqual(policies.sort());
  });

  test("have tests, each of them", () => {
    for (const policy of OPA_FILES.policies) expect(files).toContain(policy.replace(".rego", "_test.rego"));
  });
});
