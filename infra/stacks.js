// @pulumi/pulumi notes the stack of each promise that it makes (runtime/debuggable.js), and whoever has installed source maps, as Pulumi's own loader
// and jest have, looks every one of them up: half of the processor time of a program, for what nobody reads. All other stacks stay as they are.
const mapped = Error.prepareStackTrace;

if (mapped !== undefined)
  Error.prepareStackTrace = (error, frames) =>
    frames[0]?.getFileName()?.endsWith("/@pulumi/pulumi/runtime/debuggable.js")
      ? String(error)
      : mapped(error, frames);
