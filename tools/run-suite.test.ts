import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

// Below the packages, since the suite imports vitest.
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(import.meta.dirname, '../node_modules/.suite-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs a suite of these files; each is the body of a test, which may ask whether it runs for the first time. */
function runSuite(files: Readonly<Record<string, string>>): Promise<{ code: number; output: string }> {
  for (const [name, body] of Object.entries(files)) {
    const text = `
      import { existsSync, writeFileSync } from 'node:fs';
      import { it } from 'vitest';
      it(${JSON.stringify(`tries ${name}`)}, () => {
        const mark = ${JSON.stringify(join(root, `${name}.ran`))};
        const isFirst = !existsSync(mark);
        writeFileSync(mark, '');
        ${body}
      });`;
    writeFileSync(join(root, `${name}.test.js`), text);
  }
  writeFileSync(join(root, 'vitest.config.js'), 'export default { test: { include: ["*.test.js"] } };');
  const program = join(import.meta.dirname, 'run-suite.ts');
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '--root', root, '--config', join(root, 'vitest.config.js')], (error, output) =>
      resolve({ code: error ? Number(error.code) : 0, output }),
    );
  });
}

it('runs once more what failed, and names it when it passes', async () => {
  const { code, output } = await runSuite({ lucky: 'if (isFirst) throw new Error("chance")', good: '' });
  expect(output).toMatch(/Failed by chance[^]*lucky\.test\.js\n {4}tries lucky/);
  expect(output.split('Failed by chance')[1]).not.toContain('good');
  expect(code).toBe(0);
});

const throwsLate = 'setTimeout(() => { throw new Error("loose") }); return new Promise((r) => setTimeout(r, 50));';

it.each([
  ['fails twice', { bad: 'throw new Error("bad")', good: '' }],
  [
    'fails in many files',
    Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, 'if (isFirst) throw new Error("chance")'])),
  ],
  ['throws outside of tests', { loose: throwsLate }],
  [
    'throws outside of tests while another test fails',
    { lucky: 'if (isFirst) throw new Error("chance")', loose: throwsLate },
  ],
])('fails when a suite %s', async (_, files) => {
  const { code, output } = await runSuite(files);
  expect(output).not.toContain('Failed by chance');
  expect(code).toBe(1);
});
