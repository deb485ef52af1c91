// Starts Debian's Chromium, or the one that CHROMIUM names.
import { chromium } from 'playwright-core';

export const executable = process.env.CHROMIUM || '/usr/bin/chromium';

export function launch() {
  const args = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  if (process.getuid?.() === 0) args.push('--no-sandbox'); // Chromium's sandbox refuses root
  return chromium.launch({ executablePath: executable, headless: true, args });
}
