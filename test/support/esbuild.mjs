// Turns packages that are published as ES modules into CommonJS for jest. There are a thousand files of them, which TypeScript would take half a
// minute for, beside the time that a test has.
import { transformSync } from "esbuild";

export default {
  process: (source, file) =>
    transformSync(source, { sourcefile: file, format: "cjs", target: "node20", sourcemap: "inline" }),
};
