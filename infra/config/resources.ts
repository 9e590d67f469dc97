// Resources of a container, in the configuration.
import { z } from "zod";
import { quantity } from "./fields";

/** What a container requests, the defaults being those of the component that runs it. */
export const resources = (defaults: { readonly cpu: string; readonly memory: string }) =>
  z
    .strictObject({
      cpu: quantity("an amount of CPU such as 250m")
        .optional()
        .meta({
          description: `CPU that is requested, in cores or millicores; there is no limit. Default: ${defaults.cpu}.`,
          examples: ["250m"],
        }),
      memory: quantity("an amount of memory such as 256Mi")
        .optional()
        .meta({
          description: `Memory that is requested, and the limit. Default: ${defaults.memory}.`,
          examples: ["256Mi"],
        }),
    })
    .prefault({});
