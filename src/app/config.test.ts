import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readConfig } from './config.ts';

function fileWith(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'gantry.json');
  writeFileSync(file, content);
  return file;
}

describe('readConfig', () => {
  it('prefers a flag to the environment, that to the file, and that to the default', () => {
    const environment = {
      GANTRY_CONFIG: fileWith('{"port": 1, "host": "1.1.1.1", "slots": 9}'),
      GANTRY_PORT: '2',
      GANTRY_HOST: '::1',
    };
    const { config, values } = readConfig({ environment, flags: { port: '3' } });
    expect(config).toMatchObject({ port: 3, host: '::1', slots: 9, stepMemory: 4 * 2 ** 30 });
    const sourceOf = (name: string): unknown => values.find((value) => value.name === name)?.source;
    expect(['port', 'host', 'slots', 'stepMemory'].map(sourceOf)).toEqual(['flag', 'environment', 'file', 'default']);
  });

  it('tells all mistakes together, each with where it came from', () => {
    const environment = { GANTRY_CONFIG: fileWith('{"prot": 1}'), GANTRY_SLOTS: 'many', GANTRY_LOG_LIMIT: 'big' };
    expect(() => readConfig({ environment, flags: { port: '99999' } })).toThrow(
      /there is no setting "prot".*--port.*GANTRY_SLOTS: write a whole number.*GANTRY_LOG_LIMIT: write a size such as 512MiB/s,
    );
  });

  it('masks what is secret', () => {
    const { config, values } = readConfig({ environment: { DATABASE_URL: 'postgres://me:canary@db/gantry' } });
    expect(JSON.stringify([config, values])).not.toContain('canary');
    expect(config.databaseUrl?.reveal()).toBe('postgres://me:canary@db/gantry');
  });
});
