import { createServer } from 'node:http';
import { priceOf } from './price.js';

const port = Number(process.env.PORT ?? 8080);

createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://storefront');
  if (pathname === '/healthz') response.end('ok\n');
  else response.end(`${priceOf(pathname.slice(1))}\n`);
}).listen(port);
