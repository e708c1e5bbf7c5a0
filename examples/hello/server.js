import { createServer } from 'node:http';
import { greeting } from './greeting.js';

const startedAt = Date.now();

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (request.method !== 'GET')
    return answer(response, 405, { error: `Cannot ${request.method}: this service only answers GET` });
  if (url.pathname === '/healthz') return answer(response, 200, { status: 'ok', uptimeMs: Date.now() - startedAt });
  if (url.pathname !== '/') return answer(response, 404, { error: `Cannot find ${url.pathname}` });
  const name = (url.searchParams.get('name') ?? '').slice(0, 100);
  return answer(response, 200, { greeting: greeting(name, request.headers['accept-language']) });
});

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(`${JSON.stringify(body)}\n`);
}

// PORT=0 takes a free one; the line below tells which.
server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(`listening on http://localhost:${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
