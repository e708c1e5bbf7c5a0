import { connect, createServer } from 'node:net';

/** Passes on what comes in at an address of this network namespace to a socket of the file system. */
const [host, socketPath = ''] = process.argv.slice(2);

const server = createServer((incoming) => {
  const onward = connect(socketPath);
  for (const [one, other] of [
    [incoming, onward],
    [onward, incoming],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
    one.pipe(other);
  }
});
server.listen(0, host, () => console.log(JSON.stringify(server.address())));
