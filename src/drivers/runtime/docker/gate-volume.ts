import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { EngineClient } from '../../container-engine/api/engine-client.ts';
import { type Agent, agentLabels, agentPrefix } from './agent.ts';
import { attach, LineConversation } from './container-stream.ts';
import { gateProgram } from './gate-program.ts';
import { pauseRestrictions } from './hardening.ts';
import type { RemovalQueue } from './removal-queue.ts';

/** perl with its loader and libraries out of the image that this runs in; our own files as a tar from standard input. */
const fillScript = `set -e
cd /gate
cp -L /lib*/ld-linux-*.so.* ld.so
for name in libc.so.6 libcrypt.so.1 libm.so.6; do cp -L /lib/*-linux-gnu/$name $name; done
cp -L /usr/bin/perl perl
head -c "$0" | tar -xf -
chmod -R a+rX,go-w .
echo done`;

/**
 * Makes the volume that every step's container has read-only: the gate, and files such as CA certificates. One for each
 * run of a runner. `files`: path below the volume → content.
 */
export async function makeGateVolume(options: {
  readonly client: EngineClient;
  readonly agent: Agent;
  readonly image: string;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly removal: RemovalQueue;
}): Promise<string> {
  const { client, agent, image, removal } = options;
  const [volume, container] = [`${agentPrefix(agent)}-gate`, `${agentPrefix(agent)}-gate-fill`];
  removal.known.add(volume);
  removal.known.add(container);
  const content = await archive({ ...options.files, gate: Buffer.from(gateProgram) });
  await client.call('POST', '/volumes/create', { body: { Name: volume, Labels: agentLabels(agent) } });
  let conversation: LineConversation | undefined;
  try {
    await client.call('POST', '/containers/create', {
      query: { name: container },
      body: {
        Image: image,
        Entrypoint: ['/bin/busybox', 'sh', '-c', fillScript, String(content.length)],
        Cmd: [],
        User: '0:0',
        Labels: agentLabels(agent),
        AttachStdin: true,
        OpenStdin: true,
        StdinOnce: true,
        HostConfig: {
          ...pauseRestrictions,
          // Files of 4 MB pass through the page cache.
          Memory: 64 * 2 ** 20,
          MemorySwap: 64 * 2 ** 20,
          NetworkMode: 'none',
          Mounts: [{ Type: 'volume', Source: volume, Target: '/gate', VolumeOptions: { NoCopy: true } }],
        },
      },
    });
    const socket = await attach(client, container);
    conversation = new LineConversation(socket);
    await client.call('POST', `/containers/${container}/start`);
    socket.write(content);
    await conversation.ask(undefined, ['done']);
  } finally {
    await conversation?.close();
    void removal.remove([['containers', container]]);
  }
  return volume;
}

/** Plain files that everybody may read; folders above them come by themselves. */
export async function archive(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mode: 0o644 }, content);
  tar.finalize();
  return buffer(tar);
}
