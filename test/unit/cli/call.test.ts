// What `mesh call` prints of what agents tell.
import { callText } from "../../../cli/call";
import { jsonText } from "../../../cli/json";

const OBEYED = "\u001b]0;title\u0007\u009b31m\u202etxt.exe\u2028\u{e0041}\r";

test("agents on the way are named without what a terminal would obey", () => {
  const hops = [{ agent: `spiffe://x/${OBEYED}`, caller: OBEYED, milliseconds: 1 }];
  expect(callText({ hops, result: OBEYED, milliseconds: 1 })).not.toMatch(
    /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u,
  );
});

test("JSON is the same value when it is read again, and as it was where no terminal would obey it", () => {
  expect(JSON.parse(jsonText({ [OBEYED]: [OBEYED] }))).toEqual({ [OBEYED]: [OBEYED] });
  expect(jsonText({ a: ["é", "名"] })).toBe(JSON.stringify({ a: ["é", "名"] }, undefined, 2));
});
