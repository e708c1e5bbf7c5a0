import { StreamHub, type ToHub } from './stream-hub.ts';

/** The SharedWorker: one stream for all tabs of this browser. */
const ports = new Map<string, MessagePort>();
const hub = new StreamHub((message) => {
  for (const port of ports.values()) port.postMessage(message);
});
let tabs = 0;

addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  const id = String(tabs++);
  ports.set(id, port);
  port.onmessage = ({ data }: MessageEvent<ToHub>) => {
    hub.receive(id, data);
    if (data.kind === 'bye') ports.delete(id);
  };
});
