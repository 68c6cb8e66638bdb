// A page in headless Chromium as a WebSocket client: `browser.mjs client URL`. Or pages of several origins that knock at a
// server: `browser.mjs knock URL SUBPROTOCOL ORIGIN...`.
//
// What it sees it prints, one JSON object a line, as peer.mjs does. A page can neither send fragments nor pings; the
// browser answers pings by itself.

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';

const { chromium } = createRequire(`${process.env.NODE_PACKAGES}/`)('playwright-core');

async function visit(url) {
  const MIB = 1 << 20;
  const messages = {
    'text': 'grüße 🚢',
    'binary': Uint8Array.from({ length: 256 }, (_, i) => i),
    'empty text': '',
    'empty binary': new Uint8Array(0),
    'large text': 'ü'.repeat(MIB / 2),
    'large binary': Uint8Array.from({ length: MIB }, (_, i) => i % 251),
  };
  const seen = [];
  const event = (socket, name) => new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
  const isSame = (a, b) =>
    typeof a === 'string' ? a === b : a.length === b.byteLength && new Uint8Array(b).every((byte, i) => byte === a[i]);
  const closed = async (socket) => {
    const { code, reason } = await event(socket, 'close');
    seen.push({ closed: [code, reason] });
  };

  let socket = new WebSocket(`${url}/echo`);
  socket.binaryType = 'arraybuffer';
  await event(socket, 'open');
  for (const [name, message] of Object.entries(messages)) {
    const answer = event(socket, 'message');
    socket.send(message);
    seen.push({ echoed: name, same: isSame(message, (await answer).data) });
  }
  socket.close(4001, 'tschüß');
  await closed(socket);
  await closed(new WebSocket(`${url}/close`));
  socket = new WebSocket(`${url}/echo`);
  await event(socket, 'open');
  socket.close();
  await closed(socket);
  return seen;
}

// The pages themselves come from nowhere: all that matters is what the browser says of them.
async function knock(browser, url, subprotocol, origin) {
  const page = await browser.newPage();
  await page.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<p>' }));
  await page.goto(`${origin}/`);
  const opened = await page.evaluate(([url, subprotocol]) => new Promise((resolve) => {
    const socket = new WebSocket(url, subprotocol);
    socket.addEventListener('open', () => resolve(true));
    socket.addEventListener('close', () => resolve(false));
  }), [url, subprotocol]);
  await page.close();
  return { origin, opened };
}

const [role, url, subprotocol, ...origins] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // The pages of `knock` come from nowhere; no other program is to be asked whether they may reach this machine.
    '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets'],
});
try {
  if (role === 'knock') {
    for (const origin of origins) console.log(JSON.stringify(await knock(browser, url, subprotocol, origin)));
  } else {
    const page = await browser.newPage();
    for (const line of await page.evaluate(visit, url)) console.log(JSON.stringify(line));
  }
} finally {
  await browser.close();
}
