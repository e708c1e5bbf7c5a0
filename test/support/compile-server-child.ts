import { CompileProcess } from '../../src/engine/compile-process.ts';

/**
 * A server that reads one text after the other with the faulty reader. Prints its child's pid, then `answered` for each.
 * Arguments: the deadline in milliseconds, the texts.
 */
const [deadlineMs, ...texts] = process.argv.slice(2);
const reader = new CompileProcess({
  deadlineMs: Number(deadlineMs),
  program: new URL('./faulty-compile-child.ts', import.meta.url),
});
reader.warm();
process.stdout.write(`${reader.pid}\n`);
for (const text of texts) {
  await reader.lint('.gantry.yml', text);
  process.stdout.write('answered\n');
}
setInterval(() => {}, 60_000);
