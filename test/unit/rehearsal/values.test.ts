import { ignoringChanges } from "../../../rehearsal/engine/values";

describe("what the embedded runner makes of ignored changes", () => {
  const before = { spec: { policy: "old", replicas: 1 }, data: { a: "b" } };

  it("keeps the value of before, and takes every other change", () => {
    const now = { spec: { policy: "new", replicas: 2 }, data: {} };
    expect(ignoringChanges(now, before, ["spec.policy"])).toEqual({
      spec: { policy: "old", replicas: 2 },
      data: {},
    });
    expect(now.spec.policy).toBe("new");
  });

  it("takes no value that was not there before, and gives back one that was", () => {
    const now = { spec: { added: true } };
    expect(ignoringChanges(now, before, ["spec.added", "spec.policy", "data"])).toEqual({
      spec: { policy: "old" },
      data: { a: "b" },
    });
  });

  it("leaves alone what is on no such path now", () => {
    expect(ignoringChanges({ spec: 1 }, before, ["spec.policy", "metadata.name"])).toEqual({ spec: 1 });
  });
});
