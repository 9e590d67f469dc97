// The programs that show the mesh, in one bundle: `node telemetry.js <program> --config <file>`.
