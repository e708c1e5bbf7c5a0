/**
 * Git and projects as a program of its own, so that a test can kill it: `node code-server-process.ts <data folder> <store>`,
 * the store as JSON.
 * Prints `{"url":…,"project":…}` once it serves. The first start makes mei, wei (who may write) and mei/shop.
 */
import { createInterface } from 'node:readline';
import { armFailpoints } from '../../src/lib/failpoint.ts';
import type { StoreLocation } from '../../src/store/open-store.ts';
import { addPerson, addProject, readRecord, startCodeServer } from './code-server.ts';

const [, , dataFolder = '', location = ''] = process.argv;
armFailpoints(process.env['GANTRY_FAILPOINTS']);
const server = await startCodeServer({
  dataFolder,
  location: JSON.parse(location) as StoreLocation,
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
const { id: projectId } = project;
// For each line on standard input one line of what the record says: a database takes no second server to look into it.
createInterface({ input: process.stdin }).on('line', () => {
  void readRecord(store, projectId).then((record) => process.stdout.write(`${JSON.stringify(record)}\n`));
});
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
