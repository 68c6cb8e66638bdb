// A page that `bowline --report` wrote, in headless Chromium: `page.mjs FILE`. Wide and narrow, light and dark, nothing is
// complained of, nothing is cut off, and every curve stands in its plot.

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import process from 'node:process';

const { chromium } = createRequire(`${process.env.NODE_PACKAGES}/`)('playwright-core');

function look() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`it is ${root.scrollWidth} wide, and the window ${root.clientWidth}`);
  const plots = document.querySelectorAll('svg.plot');
  if (plots.length < 3) found.push(`${plots.length} plots`);
  for (const plot of plots) {
    const frame = plot.getBoundingClientRect();
    for (const path of plot.querySelectorAll('path')) {
      const curve = path.getBoundingClientRect();
      const inside = curve.left >= frame.left - 2 && curve.right <= frame.right + 2 && curve.top >= frame.top - 2
        && curve.bottom <= frame.bottom + 2;
      if (!inside || curve.width < 1) found.push(`a curve of ${plot.getAttribute('aria-label')} stands outside`);
    }
  }
  return { found, paper: getComputedStyle(document.body).backgroundColor };
}

const browser = await chromium.launch({
  executablePath: execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const complaints = [];
const papers = new Set();
try {
  for (const width of [1200, 360]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
      const complain = (text) => complaints.push(`${width} ${colorScheme}: ${text}`);
      page.on('console', (message) => complain(message.text()));
      page.on('pageerror', (error) => complain(error.message));
      await page.goto(pathToFileURL(process.argv[2]).href);
      const { found, paper } = await page.evaluate(look);
      found.forEach(complain);
      papers.add(paper);
      await page.close();
    }
  }
} finally {
  await browser.close();
}
if (papers.size !== 2) complaints.push(`the paper is ${[...papers].join(' and ')}`);
complaints.forEach((complaint) => console.error(complaint));
process.exit(complaints.length ? 1 : 0);
