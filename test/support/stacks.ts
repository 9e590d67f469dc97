// @pulumi/pulumi notes the stack of each promise that it makes (runtime/debuggable.js), and jest would look up every one of them in source maps,
// which takes a third of the tests' time. Nobody reads these; all other stacks stay as jest has them.
const mapped = Error.prepareStackTrace!;
Error.prepareStackTrace = (error, frames) =>
  frames[0]?.getFileName()?.endsWith("/@pulumi/pulumi/runtime/debuggable.js")
    ? String(error)
    : (mapped(error, frames) as unknown);
