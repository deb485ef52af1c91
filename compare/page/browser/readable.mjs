// Whether what is on a page can be read.
import assert from 'node:assert/strict';

// In the page: colours as [r, g, b, a], the contrast of two, and what lies behind an element.
export const colours = () => {
  const at = document.createElement('canvas').getContext('2d', { willReadFrequently: true }), known = new Map();
  window.colour = (text) => {
    if (!known.has(text)) {
      at.clearRect(0, 0, 1, 1);
      at.fillStyle = text;
      at.fillRect(0, 0, 1, 1);
      const d = at.getImageData(0, 0, 1, 1).data;
      known.set(text, [d[0], d[1], d[2], d[3] / 255]);
    }
    return known.get(text);
  };
  window.luminance = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  window.contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  window.behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c[3] === 1) return c;
      if (c[3] !== 0) throw new Error('half transparent: ' + e.className);
    }
    return [255, 255, 255, 1];
  };
};

// readable fails when anything is wider than the window, or has too little contrast.
export async function readable(page, width) {
  const wide = await page.evaluate((width) => [...document.querySelectorAll('body *')]
    .filter((e) => !e.closest('.scroll, svg, .unseen') && e.getBoundingClientRect().right > width + 0.5)
    .map((e) => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 40)), width);
  assert.deepEqual(wide, [], 'wider than the window');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, 'scrolls sideways');

  await page.evaluate(colours);
  const weak = await page.evaluate(() => {
    const all = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let n = walker.nextNode(); n; n = walker.nextNode()) {
      const e = n.parentElement;
      if (!n.data.trim() || e.closest('svg, script, .unseen, .skip, option') || !e.checkVisibility()) continue;
      const style = getComputedStyle(e);
      const c = contrast(colour(style.color), behind(e));
      if (c < 4.5) all.push(c.toFixed(2) + ' ' + n.data.trim().slice(0, 40));
    }
    return all;
  });
  assert.deepEqual(weak, [], 'contrast of texts');
}
