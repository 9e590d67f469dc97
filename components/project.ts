// Where the checkout is.
import { dirname } from "node:path";

/** The project's folder, from whichever file this runs: `load.js` makes one script of many. */
export const PROJECT = dirname(require.resolve("agentweave-mesh/package.json"));
