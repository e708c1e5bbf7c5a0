/**
 * Git and projects as a program of its own, so that a test can kill it: `node code-server-process.ts <data folder> [port]`.
 * Prints `{"url":…,"project":…}` once it serves. The first start makes mei, wei (who may write) and mei/shop.
 */
import { join } from 'node:path';
import { armFailpoints } from '../../src/lib/failpoint.ts';
import { addPerson, addProject, startCodeServer } from './code-server.ts';

const [, , dataFolder = '', port = '0'] = process.argv;
armFailpoints(process.env['GANTRY_FAILPOINTS']);
const server = await startCodeServer({
  dataFolder,
  location: { kind: 'file', path: join(dataFolder, 'gantry.db') },
  port: Number(port),
});
const { store } = server;
let project = await store.read.projects.findBySlug('mei', 'shop');
if (!project) {
  const mei = await addPerson(store, 'mei');
  const wei = await addPerson(store, 'wei');
  project = await addProject(store, mei, 'shop', { protectedRefs: ['protected'] });
  const { id } = project;
  await store.write((stores) => stores.projects.setRole(id, wei.id, 'write'));
}
process.stdout.write(`${JSON.stringify({ url: server.url, project: project.id })}\n`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
