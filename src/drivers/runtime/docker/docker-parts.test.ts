import { describe, expect, it } from 'vitest';
import { findPrivilegedFault, type PrivilegedRequest } from '../../../core/admit-privileged.ts';
import { parseEngineAddress } from '../../container-engine/api/engine-address.ts';
import { findCredentials, pullRule, withRegistry } from '../../container-engine/api/pull-policy.ts';
import { GateReport } from './gate-report.ts';
import { OutputFrames } from './output-frames.ts';
import { encodeRelease } from './release-frame.ts';
import { Subnets } from './subnets.ts';

describe('an engine’s address', () => {
  it('is a socket, or a host with a port', () => {
    expect(parseEngineAddress('unix:///var/run/docker.sock')).toEqual({ kind: 'socket', path: '/var/run/docker.sock' });
    expect(parseEngineAddress('tcp://build.example:2375')).toMatchObject({ host: 'build.example', isTls: false });
    expect(parseEngineAddress('https://build.example')).toMatchObject({ port: 2_376, isTls: true });
  });

  it.each(['docker.sock', 'unix://', 'ssh://host', 'tcp://'])('is refused with its forms: %s', (text) => {
    expect(() => parseEngineAddress(text)).toThrow(/unix:\/\/\/path/);
  });
});

describe('output frames', () => {
  const frame = (stream: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const whole = Buffer.concat([frame(1, 'out one\n'), frame(2, 'err\n'), frame(1, ''), frame(1, '输出\n')]);

  it('come apart the same wherever the chunks were cut', () => {
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const frames = new OutputFrames();
      const heard = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      for (const chunk of [whole.subarray(0, cut), whole.subarray(cut)])
        for (const { stream, bytes } of frames.read(chunk)) heard[stream].push(Buffer.from(bytes));
      expect(Buffer.concat(heard.stdout).toString()).toBe('out one\n输出\n');
      expect(Buffer.concat(heard.stderr).toString()).toBe('err\n');
    }
  });
});

describe('the report of a gate', () => {
  const mark = '\0gantry 0123456789abcdef ';
  const take = (text: string, cut: number): { readonly output: string; readonly report: GateReport } => {
    const report = new GateReport(mark);
    const bytes = Buffer.from(text);
    const output = [bytes.subarray(0, cut), bytes.subarray(cut)].map((part) => report.take(part).toString('latin1'));
    return { output: output.join(''), report };
  };

  it('is found wherever the bytes were cut, and is no output', () => {
    const text = `last words\n${mark}signal 9 oom 2\nfrom a child that lived on`;
    for (let cut = 0; cut <= text.length; cut += 1) {
      const { output, report } = take(text, cut);
      expect(output).toBe('last words\n');
      expect(report.end).toEqual({ kind: 'signal', number: 9, oomKills: 2 });
    }
  });

  it('is not there without the whole mark: what looks like its beginning is output', () => {
    const text = `words\n${mark.slice(0, -3)}`;
    const { output, report } = take(text, 4);
    expect(report.end).toBeUndefined();
    expect(output + report.rest().toString('latin1')).toBe(text);
  });

  it('is preceded by the question for the names, once, wherever the bytes were cut', () => {
    const text = `${mark}names\n`;
    for (let cut = 0; cut < text.length; cut += 1) {
      const report = new GateReport(mark);
      expect(report.take(Buffer.from(text.slice(0, cut)))).toHaveLength(0);
      expect(report.takeQuestion()).toBe(false);
      expect(report.take(Buffer.from(text.slice(cut)))).toHaveLength(0);
      expect(report.takeQuestion()).toBe(true);
      expect(report.takeQuestion()).toBe(false);
      expect(report.take(Buffer.from(`names\n${mark}exit 0\n`)).toString()).toBe('names\n');
      expect(report.end).toEqual({ kind: 'exit', code: 0, oomKills: 0 });
    }
  });

  it.each([
    ['exit 137', { kind: 'exit', code: 137, oomKills: 0 }],
    ['fault Cannot start "/x": No such file', { kind: 'fault', message: 'Cannot start "/x": No such file' }],
    ['exit what', undefined],
  ])('says how the step ended: %s', (line, end) => {
    expect(take(`${mark}${line}\n`, 0).report.end).toEqual(end);
  });

  it('counts once its line has ended', () => {
    expect(take(`${mark}exit 1`, 3).report.end).toBeUndefined();
  });
});

describe('subnets of job networks', () => {
  it('are sixteen addresses each, none twice, none of others', () => {
    const subnets = new Subnets('10.214.0.0/24');
    const foreign = ['10.214.0.16/28', '10.214.0.64/26', '192.168.0.0/16'];
    const taken = Array.from({ length: 20 }, () => subnets.take(foreign));
    const given = taken.filter((subnet) => subnet !== undefined);
    expect(given).toHaveLength(16 - 1 - 4);
    expect(new Set(given).size).toBe(given.length);
    expect(given).not.toContain('10.214.0.16/28');
    expect(given).not.toContain('10.214.0.80/28');
    subnets.giveBack('10.214.0.32/28');
    expect(subnets.take(foreign)).toBe('10.214.0.32/28');
  });

  it('begin where they are told to, so that two runners seldom meet', () => {
    expect(new Subnets('10.214.0.0/16', 3).take([])).toBe('10.214.0.48/28');
    expect(new Subnets('10.214.0.0/28', 99).take([])).toBe('10.214.0.0/28');
  });
});

describe('the name of an image', () => {
  it.each([
    ['node:24', 'docker.io/library/node:24'],
    ['team/app', 'docker.io/team/app'],
    ['registry.example:5000/app:1', 'registry.example:5000/app:1'],
    ['localhost/app', 'localhost/app'],
  ])('%s is %s with its registry', (name, full) => {
    expect(withRegistry(name, undefined)).toBe(full);
  });

  it('is one of the default registry without a host', () => {
    expect(withRegistry('app:1', 'registry.example')).toBe('registry.example/library/app:1');
  });

  it.each([
    ['app', 'always'],
    ['app:latest', 'always'],
    ['app:main', 'always'],
    ['app:1.2', 'if-not-present'],
    [`app@sha256:${'0'.repeat(64)}`, 'if-not-present'],
  ])('%s is pulled by default: %s', (name, rule) => {
    expect(pullRule(name, 'default')).toBe(rule);
  });

  it('gets the login of the longest match, and none of a name that only begins alike', () => {
    const login = (registry: string) => ({ registry, username: registry, password: 'x' });
    const all = [login('registry.example'), login('registry.example/team'), login('registry.example/te')];
    expect(findCredentials('registry.example/team/app:1', all)?.username).toBe('registry.example/team');
    expect(findCredentials('registry.example/other/app:1', all)?.username).toBe('registry.example');
    expect(findCredentials('registry.example.org/app', all)).toBeUndefined();
  });
});

describe('a release', () => {
  const options = {
    mark: 'm',
    step: { name: 'build', kind: 'commands' as const },
    image: { entrypoint: [], command: [] },
    defaults: {},
  };

  it('is refused with the variable that no process can have', () => {
    const release = { script: 'true', environment: { BAD: 'a\0b' }, secrets: {} };
    expect(() => encodeRelease({ ...options, release })).toThrow(/variable BAD has a NUL byte/);
  });

  it('is a length, and fields each after its own', () => {
    const release = { script: 'echo 好', environment: { A: '1', '': 'x', 'b=': 'x' }, secrets: { B: 'é', A: '2' } };
    const frame = encodeRelease({ ...options, release, defaults: { HOME: '/w' }, hosts: Buffer.from([0xff, 0x0a]) });
    expect(frame.readUInt32BE()).toBe(frame.length - 4);
    const fields: Buffer[] = [];
    for (let at = 4; at < frame.length; at += 4 + frame.readUInt32BE(at))
      fields.push(frame.subarray(at + 4, at + 4 + frame.readUInt32BE(at)));
    expect(fields.splice(4, 1)).toEqual([Buffer.from([0xff, 0x0a])]);
    expect(fields.map(String)).toEqual(['m', 'echo 好', '1', '', '1', 'HOME', '/w', '2', 'A', '2', 'B', 'é']);
  });

  it('is refused above 64 MiB, which its message names', () => {
    const release = { script: 'x'.repeat(65 * 2 ** 20), environment: {}, secrets: {} };
    expect(() => encodeRelease({ ...options, release })).toThrow(/at most 67108864/);
  });
});

describe('a privileged step', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const request: PrivilegedRequest = {
    stepName: 'image',
    image: `registry.example/builder@${digest}`,
    isProjectTrusted: true,
    hasCommands: false,
    hasOwnEntrypoint: false,
    hasVolumes: false,
    variables: ['PLUGIN_REPO'],
  };
  const list = [`registry.example/builder@${digest}`, 'registry.example/tool:2.*', 'registry.example/bare'];

  it('is admitted when its image is on the list and nothing of it can be turned', () => {
    expect(findPrivilegedFault(request, list)).toBeUndefined();
    expect(findPrivilegedFault({ ...request, image: 'registry.example/tool:2.7' }, list)).toBeUndefined();
  });

  it.each([
    ['plugins/docker:20', 'docker.io/plugins/docker:20'],
    ['docker.io/plugins/docker:20.10', 'plugins/docker:20.*'],
    ['docker:27-dind', 'docker.io/library/docker:27-dind'],
    [`docker@${digest}`, `docker.io/library/docker@${digest}`],
  ])('is admitted under either form of its name: %s by %s', (image, entry) => {
    expect(findPrivilegedFault({ ...request, image }, [entry])).toBeUndefined();
  });

  it.each([
    ['an empty list', {}, []],
    ['another image', { image: `registry.example/other@${digest}` }, list],
    ['another tag', { image: 'registry.example/tool:3.0' }, list],
    ['no tag', { image: 'registry.example/tool' }, list],
    ['a name on the list without digest or tag', { image: 'registry.example/bare:1' }, list],
    ['the same name on another registry', { image: 'evil.example/tool:2.7' }, list],
    ['a project that is not trusted', { isProjectTrusted: false }, list],
    ['commands', { hasCommands: true }, list],
    ['an entrypoint of its own', { hasOwnEntrypoint: true }, list],
    ['volumes', { hasVolumes: true }, list],
    ['a variable that leads the image astray', { variables: ['ld_preload'] }, list],
  ])('is refused with %s, in a sentence', (_what, change, entries) => {
    expect(findPrivilegedFault({ ...request, ...change }, entries)).toMatch(/^Cannot run step "image" privileged: ./);
  });
});
