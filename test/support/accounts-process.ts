/** People and secrets of a Gantry in a process that a test may kill: `node accounts-process.ts LOCATION KEY-FILE`. */
import { armFailpoints } from '../../src/lib/failpoint.ts';
import { listen } from '../../src/server/listen.ts';
import type { StoreLocation } from '../../src/store/open-store.ts';
import { openServerWorld } from './server-world.ts';

const [, , location = '', keyFilePath = ''] = process.argv;
const world = await openServerWorld({ location: JSON.parse(location) as StoreLocation, keyFilePath });
let mei = await world.store.read.people.findByName('mei');
if (!mei) {
  mei = await world.person('mei', { isSiteAdmin: true });
  await world.project('mei', 'web');
}
const token = await world.token(mei);
const { url } = await listen(world.app, { hostname: '127.0.0.1', port: 0 });
// From here on only what the test asks for can meet a failpoint.
armFailpoints(process.env['GANTRY_FAILPOINTS']);
console.log(JSON.stringify({ url, token }));
