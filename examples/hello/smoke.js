// Starts the service as it runs in production, asks it over HTTP, and stops it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const service = spawn(process.execPath, ['server.js'], {
  env: { ...process.env, PORT: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [line] = await once(createInterface({ input: service.stdout }), 'line');
const address = line.replace(/^listening on /, '');
console.log(`the service is up at ${address}`);

try {
  await expectAnswer('/healthz', (body) => body.status === 'ok');
  await expectAnswer('/?name=Gantry', (body) => body.greeting === 'Hello, Gantry!');
} finally {
  service.kill();
  await once(service, 'exit');
}
console.log('the service answers, and stops when it is told to');

async function expectAnswer(path, isGood) {
  const response = await fetch(address + path);
  const body = await response.json();
  console.log(`GET ${path} → ${response.status} ${JSON.stringify(body)}`);
  if (!response.ok || !isGood(body)) throw new Error(`GET ${path} gave a wrong answer`);
}
