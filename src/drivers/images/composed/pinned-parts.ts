import type { Architecture, GoToolchain, NpmPart } from './recipe.ts';

/** Parts that do not come from Debian: each pinned by version and by a digest of its content. */
export interface NodeVersion {
  readonly version: string;
  readonly tags: readonly string[];
  readonly integrity: Readonly<Record<Architecture, string>>;
}

/** The first is what no tag means. */
export const nodeVersions: readonly NodeVersion[] = [
  {
    version: '24.21.0',
    tags: ['24', 'latest', 'lts'],
    integrity: {
      amd64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
      arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    },
  },
  {
    version: '22.23.3',
    tags: ['22'],
    integrity: {
      amd64: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
      arm64: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
    },
  },
  {
    version: '20.20.2',
    tags: ['20'],
    integrity: {
      amd64: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
      arm64: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    },
  },
];

const npmIntegrity = 'sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==';

/** One npm for every Node: it runs on 20.17 and later. */
export const npmPart: NpmPart = {
  name: { amd64: 'npm', arm64: 'npm' },
  version: '11.21.2',
  integrity: { amd64: npmIntegrity, arm64: npmIntegrity },
  folder: 'usr/local/lib/node_modules/npm',
  binaries: { npm: 'bin/npm-cli.js', npx: 'bin/npx-cli.js' },
};

/** The first is what no tag means. */
export const goToolchains: readonly GoToolchain[] = [
  {
    version: '1.27.4',
    sum: {
      amd64: 'h1:8Tl0rBb7KdISSdPkZBjlpZxsUBb+004GI/SM2XbmSqI=',
      arm64: 'h1:vCmfNA8b+T0RfElhx3mNdgu1UrIuyzZCgTrRiUWLnOI=',
    },
  },
  {
    version: '1.26.11',
    sum: {
      amd64: 'h1:KyINmJ/FQdKRmDYGuTAAXkumyeR2DyUlSNHZj7XaLFg=',
      arm64: 'h1:GFS9FmglLJxMwOSuun3qb8tBjpr8ibzOkt8tBrRLrnk=',
    },
  },
  {
    version: '1.25.14',
    sum: {
      amd64: 'h1:XriDgll2yv4W2YeUo2X/WuUuy+iGJkXGH0CQloMBEXo=',
      arm64: 'h1:tccCYNAEolyjUyQVNxD/wJuly2Sx85m+OUkzGIhO1oY=',
    },
  },
  { version: '1.24.13', sum: { amd64: 'h1:5sgfUhn9QCgVl4UYj32GrIYFHI3bi2UX55tNfupXwxc=' } },
  { version: '1.23.12', sum: { amd64: 'h1:CQZ55qhuGAYcgv4npnr3DsfZP3i8URMjkpv7TYHRIH4=' } },
  { version: '1.22.12', sum: { amd64: 'h1:Hdh4VJAlDWzMnhKpqDwqJJr+sE7NgsJ86dyR4wrv2oY=' } },
];
