// A WebSocket peer by Node's ws: `peer.mjs server` or `peer.mjs client URL`.
//
// What it sees it prints, one JSON object a line; tests/tests/interop.rs reads that. The same as peer.py.

import { createRequire } from 'node:module';
import { once } from 'node:events';
import process from 'node:process';

// Where the packages have been installed is told by the one who starts this.
const { WebSocket, WebSocketServer } = createRequire(`${process.env.NODE_PACKAGES}/`)('ws');

const MIB = 1 << 20;
const MESSAGES = {
  'text': 'grüße 🚢',
  'binary': Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  'empty text': '',
  'empty binary': Buffer.alloc(0),
  'large text': 'ü'.repeat(MIB / 2),
  'large binary': Buffer.from(Array.from({ length: MIB }, (_, i) => i % 251)),
  // A list is sent in fragments: the border lies inside no character, and one fragment is empty.
  'text in fragments': ['gr', '', 'üße', ' 🚢'],
  'binary in fragments': [Buffer.alloc(1000, 0), Buffer.alloc(0), Buffer.alloc(100_000, 1)],
};

const tell = (what) => console.log(JSON.stringify(what));
const whole = (message) =>
  Array.isArray(message) ? (typeof message[0] === 'string' ? message.join('') : Buffer.concat(message)) : message;

function send(socket, message) {
  if (!Array.isArray(message)) return socket.send(message);
  message.forEach((part, i) => socket.send(part, { fin: i === message.length - 1 }));
}

async function closed(socket) {
  const [code, reason] = await once(socket, 'close');
  tell({ closed: [code, reason.toString()] });
}

async function client(url) {
  let socket = new WebSocket(`${url}/echo`, { maxPayload: 2 * MIB });
  await once(socket, 'open');
  for (const [name, message] of Object.entries(MESSAGES)) {
    send(socket, message);
    const [answer, isBinary] = await once(socket, 'message');
    const wanted = whole(message);
    tell({ echoed: name, same: isBinary === Buffer.isBuffer(wanted) && answer.equals(Buffer.from(wanted)) });
  }
  socket.ping('are you there');
  const [payload] = await once(socket, 'pong');
  tell({ pong: payload.toString() === 'are you there' });
  socket.close(4001, 'tschüß');
  await closed(socket);
  await closed(new WebSocket(`${url}/close`));
  socket = new WebSocket(`${url}/echo`);
  await once(socket, 'open');
  socket.close();
  await closed(socket);
}

async function server() {
  const listening = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 2 * MIB });
  await once(listening, 'listening');
  tell({ port: listening.address().port });
  listening.on('connection', async (socket, request) => {
    const end = closed(socket);
    if (request.url === '/close') {
      socket.ping('are you there');
      const [payload] = await once(socket, 'pong');
      tell({ pong: payload.toString() === 'are you there' });
      socket.close(4002, 'schöner Gruß');
    } else {
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
    }
    await end;
  });
}

await (process.argv[2] === 'server' ? server() : client(process.argv[3]));
