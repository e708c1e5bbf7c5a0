import { readFileSync, writeSync } from 'node:fs';
import type { ConvertRequest } from './convert-messages.ts';
import { runWasi } from './wasi-host.ts';

/** Room for the answer beside its documents. */
const answerBytes = 64 * 1024;

/**
 * The program of `ProgramConverter`'s child: answers the request on its standard input by the module that its argument
 * names, and ends. What breaks the module is told on standard error, and then there is no answer.
 */
const [wasmPath = ''] = process.argv.slice(2);
const input = readFileSync(0);
const { maxBytes } = JSON.parse(input.toString()) as ConvertRequest;
// As JSON a text takes up to twice its length; the module itself keeps to what it was told.
const { exitCode, stdout, stderr } = runWasi(
  new WebAssembly.Module(readFileSync(wasmPath)),
  input,
  2 * maxBytes + answerBytes,
);
if (exitCode === 0) for (let at = 0; at < stdout.length; ) at += writeSync(1, stdout, at);
else {
  process.stderr.write(stderr);
  process.exitCode = 1;
}
