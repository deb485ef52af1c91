// Looks at report pages in Chromium, element by element:
//
//   node report.mjs FOLDER
//
// FOLDER has NAME.html and NAME.json, the report that NAME.html shows, for go, nogo,
// empty and hostile. What has to be on a page is worked out here from the JSON. Screenshots
// go to the folder. Standard output has a line of JSON for each check: {"name", "error"}.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './launch.mjs';
import { colours, readable } from './readable.mjs';

const folder = resolve(process.argv[2]);
const browser = await launch();
const report = (name) => JSON.parse(readFileSync(join(folder, name + '.json'), 'utf8'));
const address = (name) => pathToFileURL(join(folder, name + '.html')).href;

// using opens a page in a fresh context, and fails when it asked for anything but itself
// or had anything to say on the console.
async function using(name, options, look) {
  const { init, ...context } = options;
  const ctx = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...context });
  const page = await ctx.newPage();
  page.setDefaultTimeout(15000);
  const asked = [], said = [];
  page.on('request', (r) => asked.push(r.url()));
  page.on('console', (m) => said.push(m.text()));
  page.on('pageerror', (e) => said.push(String(e)));
  page.on('dialog', (d) => { said.push('a dialog'); d.dismiss(); });
  if (init) await page.addInitScript(init);
  try {
    await page.goto(address(name));
    await look(page);
    assert.deepEqual(asked.map((url) => url.split('#')[0]), [address(name)], 'requests');
    assert.deepEqual(said, [], 'console');
  } finally {
    await ctx.close();
  }
}

async function check(name, run) {
  if (!name.includes(process.argv[3] ?? '')) return;
  let error = '';
  try { await run(); } catch (e) { error = e.message; }
  console.log(JSON.stringify({ name, error }));
}

const number = (n) => n.toLocaleString('en-US');
const plain = (s) => s.replace(/\u00a0/g, ' ').trim();
const sum = (counts) => Object.values(counts ?? {}).reduce((a, b) => a + b, 0);
const texts = async (locator) => (await locator.allTextContents()).map(plain);

// Checks of every page in every way of looking at it.
async function common(page, width) {
  await page.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }));

  await readable(page, width);
  const faint = await page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => colour(style.getPropertyValue('--' + name));
    return ['equal', 'expected', 'noise', 'unexplained', 'pending', 'undecidable', 'skipped', 'quarantined', 'go', 'nogo', 'mark-line', 'link']
      .filter((name) => contrast(of(name), of('surface')) < 3);
  });
  assert.deepEqual(faint, [], 'contrast of drawings');

  const heads = await page.locator('h1, h2, h3, h4, h5').evaluateAll((all) => all.map((h) => Number(h.tagName[1])));
  assert.equal(heads[0], 1, 'first heading');
  heads.forEach((level, i) => assert.ok(i === 0 ? level === 1 : level > 1 && level <= heads[i - 1] + 1, `heading ${i} of level ${level}`));
  for (const role of ['banner', 'navigation', 'main', 'contentinfo']) assert.equal(await page.getByRole(role).count(), 1, role);
  assert.equal(await page.locator('th:not([scope])').count(), 0, 'th without scope');
  assert.equal(await page.locator('table:not(:has(th[scope=col]))').count(), 0, 'table without heads');
  assert.equal(await page.locator('svg:not([aria-hidden=true]):not([role=img][aria-label]):not(svg svg)').count(), 0, 'drawing without words');
  const doubled = await page.evaluate(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); return ids.filter((id, i) => ids.indexOf(id) !== i); });
  assert.deepEqual(doubled, [], 'ids that occur twice');
  const dead = await page.evaluate(() => [...document.querySelectorAll('a[href^="#"], [aria-labelledby]')]
    .map((e) => e.getAttribute('aria-labelledby') ?? e.getAttribute('href').slice(1)).filter((id) => !document.getElementById(id)));
  assert.deepEqual(dead, [], 'links to nothing');
}

// The verdict, its checks and the streams, by the report.
async function contents(page, r, longNames) {
  const word = r.verdict.go ? 'GO' : 'NO-GO';
  const head = page.getByRole('heading', { level: 1, name: word, exact: true });
  assert.ok(await head.isVisible(), word + ' is not a visible heading');
  assert.ok(await head.evaluate((e) => parseFloat(getComputedStyle(e).fontSize)) >= 39, 'the verdict is not big');
  assert.ok(longNames || (await head.boundingBox()).y < 400, 'the verdict is not on top');

  const checks = r.verdict.checks ?? [];
  const wanted = [...checks.filter((c) => !c.ok), ...checks.filter((c) => c.ok)];
  const items = page.getByRole('listitem').and(page.locator('.check'));
  assert.equal(await items.count(), wanted.length, 'checks');
  for (const [i, c] of wanted.entries()) {
    const item = items.nth(i);
    assert.equal(await item.locator('.name').textContent(), c.name, 'order of the checks');
    assert.equal(plain(await item.locator('.state').innerText()), c.ok ? 'passed' : 'failed', c.name);
    assert.deepEqual(await texts(item.locator('dt')), ['want', 'got']);
    assert.deepEqual(await item.locator('dt').evaluateAll((all) => all.filter((e) => e.offsetHeight > 1.9 * parseFloat(getComputedStyle(e).fontSize)).map((e) => e.textContent)), [], c.name + ': a label is broken');
    assert.deepEqual(await item.locator('dd').allTextContents(), [c.want, c.got], c.name);
    assert.deepEqual(await item.locator('.why').allTextContents(), c.why ? [c.why] : [], c.name);
  }

  for (const [i, s] of (r.streams ?? []).entries()) {
    const card = page.locator('.stream').nth(i);
    assert.equal(await card.locator('h3').evaluate((h) => h.firstChild.data.trim()), s.stream.trim());
    const counts = [s.equal, s.different - s.unexplained, s.unexplained, sum(s.pending), sum(s.undecidable), sum(s.skipped), sum(s.quarantined)];
    assert.deepEqual(await texts(card.locator('.legend tbody td:nth-child(2)')), counts.map(number), s.stream);
    const reasons = ['pending', 'undecidable', 'skipped', 'quarantined'].flatMap((k) => Object.keys(s[k] ?? {}));
    assert.deepEqual((await card.locator('details code').allTextContents()).sort(), reasons.sort(), s.stream + ': reasons');
    await proportional(card.locator('.bar'), counts.filter((n) => n > 0), counts.reduce((a, b) => a + b, 0));
  }
}

// proportional: a bar's segments are as wide as their counts say; thin ones are widened at
// the cost of the widest.
async function proportional(bar, counts, full) {
  const drawn = await bar.evaluate((svg) => {
    const all = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('.segment')].map((s) => {
      const box = s.getBoundingClientRect();
      return { x: 100 * (box.x - all.x) / all.width, width: 100 * box.width / all.width };
    });
  });
  assert.equal(drawn.length, counts.length, 'segments');
  const widest = counts.indexOf(Math.max(...counts));
  let x = 0;
  for (const [i, s] of drawn.entries()) {
    const share = 100 * counts[i] / full;
    assert.ok(Math.abs(s.x - x) < 0.3, `segment ${i} begins at ${s.x} %, the one before it ends at ${x} %`);
    const least = Math.max(share, 0.8), slack = i === widest ? 0.8 * counts.length : 0.3;
    assert.ok(s.width > least - slack && s.width < least + 0.3, `segment ${i} is ${s.width} % wide, its share is ${share} %`);
    x = s.x + s.width;
  }
}

async function differences(page, r) {
  const streams = [...new Set(r.counts.map((c) => c.stream))];
  const tables = page.locator('table.fields');
  assert.equal(await tables.count(), streams.length);
  for (const [i, stream] of streams.entries()) {
    const counts = r.counts.filter((c) => c.stream === stream);
    const most = Math.max(...counts.map((c) => c.count));
    counts.sort((a, b) => b.unexplained - a.unexplained || b.count - a.count);
    const rows = tables.nth(i).locator('tbody tr');
    assert.equal(await rows.count(), counts.length, stream);
    for (const [j, c] of counts.entries()) {
      const row = rows.nth(j), what = `${stream} ${c.category} ${c.field ?? ''}`;
      assert.equal(await row.getAttribute('data-category'), c.category, what);
      assert.equal(await row.getAttribute('data-field'), c.field ?? '', what);
      assert.deepEqual((await texts(row.locator('td.n'))).slice(0, 4), [c.unexplained, c.expected, c.noise, c.count].map(number), what);
      await proportional(row.locator('.bar'), [c.unexplained, c.expected, c.noise, c.count - c.unexplained - c.expected - c.noise].filter((n) => n > 0), most);
      const some = r.samples.some((s) => s.stream === stream && s.category === c.category && s.field === c.field);
      assert.equal(await row.locator('a').count(), some ? 1 : 0, what + ': link');
      if (some) {
        const group = page.locator(await row.locator('a').getAttribute('href'));
        assert.deepEqual(await group.evaluate((g) => [g.dataset.stream, g.dataset.category, g.dataset.field]), ['=' + stream, '=' + c.category, '=' + (c.field ?? '')], what);
      }
    }
  }
}

const invisible = /[\p{Cc}\p{Cf}\p{Z}]/gu;
const named = (text) => text.replace(invisible, (c) => c === ' ' ? c : 'U+' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0'));

async function samples(page, r) {
  assert.equal(await page.locator('.sample').count(), r.samples.length);
  for (const s of r.samples) {
    const group = await page.evaluate((want) => [...document.querySelectorAll('.group')]
      .find((g) => g.dataset.stream === want[0] && g.dataset.category === want[1] && g.dataset.field === want[2])?.id,
    ['=' + s.stream, '=' + s.category, '=' + (s.field ?? '')]);
    const sample = page.locator('#' + group + ' .sample').filter({ has: page.locator('h4 .id').getByText(s.id, { exact: true }) });
    assert.equal(await sample.count(), 1, s.id);
    assert.equal(await sample.locator('h4 .id').evaluate((e) => getComputedStyle(e).fontFamily.includes('monospace')), true);
    for (const which of ['left', 'right']) {
      const side = sample.locator(`.side[data-side=${which}]`), shown = s[which], what = s.id + ' ' + which;
      const parts = (shown.parts ?? []).filter((p) => p.text);
      assert.ok(await side.isVisible());
      assert.equal(await side.locator('h5').evaluate((h) => h.firstChild.data.trim()), r[which].label.trim());
      assert.equal(await side.locator('.label').count(), shown.masked ? 1 : 0, what + ': masked');
      const nothing = shown.gone ? ['no longer readable'] : !shown.parts ? ['absent'] : [];
      assert.deepEqual(await texts(side.locator('.nothing')), nothing, what);
      if (nothing.length) continue;
      const marks = side.locator('mark');
      assert.deepEqual(await marks.allTextContents(), parts.filter((p) => p.differs).map((p) => named(p.text)), what + ': marks');
      const bare = await marks.evaluateAll((all) => all.map((m) => getComputedStyle(m))
        .filter((style) => !style.textDecorationLine.includes('underline') || style.backgroundColor === 'rgba(0, 0, 0, 0)').length);
      assert.equal(bare, 0, what + ': marks without underline or ground');
      assert.deepEqual(await side.locator('.place code').allTextContents(), shown.place ? [shown.place] : [], what + ': position');
    }
  }
}

const looks = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['light-phone', { colorScheme: 'light', viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true }],
  ['dark-phone', { colorScheme: 'dark', viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true }],
  ['narrow', { colorScheme: 'light', viewport: { width: 320, height: 640 } }],
];

try {
  for (const name of ['go', 'nogo', 'empty', 'hostile']) {
    for (const [look, options] of looks) {
      await check(`${name} ${look}`, () => using(name, options, async (page) => {
        if (name !== 'hostile' && look !== 'narrow') await page.screenshot({ path: join(folder, `${name}-${look}.png`), fullPage: true });
        await contents(page, report(name), name === 'hostile');
        await common(page, options.viewport?.width ?? 1280);
      }));
    }
  }
  for (const [name, [look, options]] of [['go', looks[0]], ['nogo', looks[0]], ['nogo', looks[3]], ['hostile', looks[0]]]) {
    await check(`${name} ${look} differences`, () => using(name, options, (page) => differences(page, report(name))));
    await check(`${name} ${look} samples`, () => using(name, options, (page) => samples(page, report(name))));
  }

  await check('nothing of the data runs', () => using('hostile', {}, async (page) => {
    assert.equal(await page.evaluate(() => typeof window.hacked), 'undefined');
    assert.equal(await page.locator('img, iframe').count(), 0);
    assert.equal(await page.locator('script').count(), 1);
    assert.ok((await page.title()).includes('<script>'));
  }));

  await check('the policy stops a script that got in', () => using('go', {}, async (page) => {
    await page.evaluate(() => {
      window.stopped = new Promise((done) => document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective)));
      const s = document.createElement('script');
      s.textContent = 'window.hacked = 1';
      document.body.append(s);
    });
    assert.equal(await page.evaluate(() => window.stopped), 'script-src-elem');
    assert.equal(await page.evaluate(() => typeof window.hacked), 'undefined');
  }).catch((e) => { if (!/^console/.test(e.message) || !/Content Security Policy/.test(e.message)) throw e; }));

  await check('dark is darker than light', async () => {
    const grounds = [];
    for (const [, options] of looks.slice(0, 2)) {
      await using('nogo', options, async (page) => {
        await page.evaluate(colours);
        grounds.push(await page.evaluate(() => ['body', '.card', '.say'].map((s) => luminance(behind(document.querySelector(s))))));
        const verdict = await page.evaluate(() => { const h = document.querySelector('h1'); return contrast(colour(getComputedStyle(h).color), behind(h)); });
        assert.ok(verdict >= 4.5, `contrast of the verdict: ${verdict}`);
      });
    }
    const [light, dark] = grounds;
    light.forEach((l, i) => assert.ok(l > 0.7 && dark[i] < 0.1, `${l} and ${dark[i]}`));
  });

  await check('key figures', () => using('nogo', {}, async (page) => {
    const r = report('nogo'), of = (key) => page.locator(`[data-figure=${key}] .value`);
    const compared = r.streams.reduce((n, s) => n + s.equal + s.different, 0);
    const open = r.streams.reduce((n, s) => n + sum(s.pending) + sum(s.undecidable), 0);
    const unexplained = r.streams.reduce((n, s) => n + s.unexplained, 0);
    const near = async (key, want) => {
      const got = parseFloat(await of(key).textContent());
      assert.ok(Math.abs(got - 100 * want) < 0.0011, `${key}: ${got}, want ${100 * want}`);
    };
    await near('coverage', compared / (compared + open));
    await near('unexplained', unexplained / compared);
    assert.deepEqual(await texts(of('violations')), ['5']);
    assert.deepEqual(await texts(of('compared')), [number(compared)]);
    assert.deepEqual(await texts(of('freshness')), ['2 min 14 s', '3.2 s']);
  }));

  await check('expired rules are flagged', () => using('nogo', {}, async (page) => {
    const rows = page.locator('#expected tbody tr'), r = report('nogo');
    assert.equal(await rows.count(), r.expected.length);
    for (const e of r.expected) {
      const row = rows.filter({ has: page.locator('th').getByText(e.id, { exact: true }) });
      assert.deepEqual(await texts(row.locator('.label')), e.expired ? ['expired'] : [], e.id);
      assert.deepEqual(await texts(row.locator('td')).then((t) => [t[0], t[1], t[2].slice(0, 10), t[3]]), [e.reason, e.owner, e.expires, number(e.count)]);
    }
  }));

  await check('trend', () => using('nogo', {}, async (page) => {
    const r = report('nogo'), n = r.trend.length;
    for (const [key, value] of [['coverage', (p) => p.coverage], ['unexplained', (p) => p.unexplained_rate]]) {
      const chart = page.locator(`[data-chart=${key}] svg[role=img]`);
      assert.equal(await chart.locator('.run').count(), n - 1, key);
      assert.equal(await chart.locator('.dot.yes').count(), r.trend.filter((p) => p.go).length, key);
      assert.equal(await chart.locator('.dot.no').count(), r.trend.filter((p) => !p.go).length, key);
      const ends = await chart.locator('.run').evaluateAll((all) => all.map((l) => [parseFloat(l.getAttribute('x2')), parseFloat(l.getAttribute('y2'))]));
      for (let i = 1; i < ends.length; i++) {
        assert.ok(ends[i][0] > ends[i - 1][0], key + ' goes back in time');
        const rise = value(r.trend[i + 1]) - value(r.trend[i]), drawn = ends[i - 1][1] - ends[i][1];
        assert.ok(Math.abs(rise) < 1e-6 || Math.sign(rise) === Math.sign(drawn) || Math.abs(drawn) < 0.002, `${key} at ${i}`);
      }
      // Where the marks of the verdict are drawn is where the line is.
      const last = await chart.locator('.dot').last().boundingBox(), box = await chart.boundingBox();
      assert.ok(Math.abs(100 * (last.x + last.width / 2 - box.x) / box.width - ends.at(-1)[0]) < 1, key);
      assert.ok(Math.abs(100 * (last.y + last.height / 2 - box.y) / box.height - ends.at(-1)[1]) < 2, key);
    }
    const details = page.locator('#trend details');
    assert.ok(!await details.locator('table').isVisible());
    await details.locator('summary').press('Enter');
    await details.locator('table').waitFor();
    assert.equal(await details.locator('tbody tr').count(), n);
    assert.deepEqual(await texts(details.locator('tbody td:nth-child(2)')), r.trend.map((p) => p.go ? 'GO' : 'NO-GO'));
  }));

  await check('by keyboard alone', () => using('nogo', {}, async (page) => {
    const r = report('nogo');
    const visible = () => page.locator('.sample:visible').count();
    const focused = () => page.evaluate(() => document.activeElement.id);
    const tabTo = async (id) => {
      for (let i = 0; i < 300; i++) {
        if (await focused() === id) return;
        await page.keyboard.press('Tab');
      }
      assert.fail('Tab does not reach ' + id);
    };
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    assert.ok((await page.locator('.skip').boundingBox()).y >= 0, 'the skip link stays hidden');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'verdict'); // with the next frame

    await tabTo('by-stream');
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', 'focus is not seen');
    await page.keyboard.type('orders');
    const orders = r.samples.filter((s) => s.stream === 'orders');
    assert.equal(await visible(), orders.length);
    assert.equal(await page.getByRole('status').first().textContent(), `${orders.length} of ${r.samples.length} shown`);
    await tabTo('by-category');
    await page.keyboard.type('value');
    await tabTo('by-field');
    await page.keyboard.type('tickets[].price');
    const wanted = orders.filter((s) => s.category === 'value' && s.field === 'tickets[].price_nominal');
    assert.deepEqual(await page.locator('.sample:visible h4 .id').allTextContents(), wanted.map((s) => s.id));
    await tabTo('by-category');
    await page.keyboard.type('refund');
    assert.equal(await visible(), 0);
    assert.ok(await page.locator('#none-shown').isVisible());
    await tabTo('by-field');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Show all');
    await page.keyboard.press('Enter');
    await page.waitForFunction((n) => document.querySelectorAll('.group:not([hidden]) .sample').length === n, r.samples.length);
    assert.ok(!await page.locator('#none-shown').isVisible());
  }));

  await check('a row leads to its samples, also filtered ones', () => using('nogo', {}, async (page) => {
    await page.selectOption('#by-stream', '=refunds');
    const link = page.locator('tr[data-field="customer.phone"] a');
    const group = page.locator(await link.getAttribute('href'));
    assert.ok(!await group.isVisible());
    await link.press('Enter');
    await group.waitFor();
    await page.waitForFunction((id) => { const y = document.querySelector(id).getBoundingClientRect().y; return y >= 0 && y < 900; }, await link.getAttribute('href'));
  }));

  await check('copying', () => using('nogo', { permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
    const s = page.locator('.sample').first();
    for (const [button, want] of [['Copy the id', await s.locator('h4 code').textContent()], ['Copy the position', await s.locator('.place code').first().textContent()]]) {
      const b = s.getByRole('button', { name: button }).first();
      await b.press('Enter');
      await page.waitForFunction((e) => e.textContent === 'copied', await b.elementHandle());
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), want);
    }
  }));

  for (const [what, init] of [
    ['without a clipboard', () => { Object.defineProperty(navigator, 'clipboard', { value: undefined }); }],
    ['with a clipboard that refuses', () => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }],
    ['without any way', () => { Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false; }],
  ]) {
    await check('copying ' + what, () => using('nogo', { init }, async (page) => {
      const b = page.locator('button.copy').first();
      await b.click();
      const told = await page.waitForFunction((e) => e.textContent !== 'copy' && e.textContent, await b.elementHandle()); // for two seconds
      assert.equal(await told.jsonValue(), what === 'without any way' ? 'selected' : 'copied');
      assert.equal(await page.evaluate(() => getSelection().toString()), await page.locator('.sample h4 code').first().textContent());
    }));
  }

  await check('without scripts', () => using('nogo', { javaScriptEnabled: false }, async (page) => {
    assert.equal(await page.locator('.sample:visible').count(), report('nogo').samples.length);
    assert.ok(!await page.locator('#filter').isVisible());
    assert.equal(await page.locator('button.copy:visible').count(), 0);
    await page.locator('.stream summary').first().click();
    await page.locator('.stream details table').first().waitFor();
  }));

  await check('on paper', () => using('nogo', { colorScheme: 'dark' }, async (page) => {
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await page.evaluate(colours);
    assert.equal(await page.evaluate(() => luminance(behind(document.body))), 1, 'the ground is white');
    assert.ok(await page.evaluate(() => luminance(colour(getComputedStyle(document.body).color))) < 0.1, 'the text is dark');
    assert.ok(!await page.locator('nav').isVisible() && !await page.locator('#filter').isVisible());
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    assert.equal(await page.locator('details:not([open])').count(), 0);
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    assert.equal(await page.locator('details[open]').count(), 0);
    assert.ok((await page.pdf({ format: 'A4' })).length > 10000);
  }));

  await check('motion', async () => {
    for (const [reducedMotion, want] of [['reduce', 'auto'], ['no-preference', 'smooth']]) {
      await using('go', { reducedMotion }, async (page) => assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior), want));
    }
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify({ done: true }));
