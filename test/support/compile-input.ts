import type { CompileInput } from '../../src/engine/compile-input.ts';

/** A push of one file to the default branch of a project, as its compiler is given it. */
export function compileInputOf(path: string, text: string): CompileInput {
  return {
    files: [{ path, text }],
    event: {
      kind: 'push',
      ref: 'refs/heads/main',
      branch: 'main',
      before: 'a'.repeat(40),
      commit: 'b'.repeat(40),
      message: 'Mend the crane',
      authorName: 'Mei',
      authorEmail: 'mei@example.com',
      personName: 'mei',
      parameters: {},
    },
    project: {
      owner: 'shop',
      name: 'store',
      visibility: 'private',
      defaultBranch: 'main',
      link: 'http://gantry.example/shop/store',
      cloneUrl: 'http://gantry.example/shop/store.git',
    },
    pipeline: { number: 1, createdAt: new Date(0), link: 'http://gantry.example/shop/store/pipelines/1' },
    instanceUrl: 'http://gantry.example',
    secretNames: [],
    stepTimeoutMs: 60_000,
  };
}
