// Takes the pictures of the documentation from a report page:
//
//   node pictures.mjs REPORT.html FOLDER
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './launch.mjs';

const [report, folder] = process.argv.slice(2);
const browser = await launch();
for (const [name, options, section] of [
  ['compare-report-light.png', { colorScheme: 'light', viewport: { width: 1120, height: 1040 } }],
  ['compare-report-dark-phone.png', { colorScheme: 'dark', viewport: { width: 360, height: 1000 }, deviceScaleFactor: 1.5, isMobile: true }],
  ['compare-report-differences.png', { colorScheme: 'light', viewport: { width: 1120, height: 900 } }, '#differences'],
]) {
  const page = await browser.newPage(options);
  await page.goto(pathToFileURL(resolve(report)).href);
  const path = join(folder, name);
  const clip = section && await page.locator(section).boundingBox();
  const margin = 20;
  await page.screenshot(clip ? { path, fullPage: true, clip: { x: clip.x - margin, y: clip.y - margin, width: clip.width + 2 * margin, height: clip.height + 2 * margin } } : { path });
  console.log(`${path}: ${Math.ceil(statSync(path).size / 1024)} KiB`);
  await page.close();
}
await browser.close();
