// Uses the console in Chromium, element by element:
//
//	node console.mjs JSON
//
// JSON tells where the made-up deployments of browser_test.go answer, and by which tokens. Screenshots go to its
// folder. Standard output has a line of JSON for each check: {"name", "error"}.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from '../../../compare/page/browser/launch.mjs';
import { colours, readable } from '../../../compare/page/browser/readable.mjs';

const { folder, pictures, only, control, at, tokens, canary } = JSON.parse(process.argv[2]);
const browser = await launch();
const EVENT = '66f1a0c2e4b0a1000e000001', ORDER = '66f1a0c2e4b0a1000d000011', REFUND = '66f1a0c2e4b0a1000f000021';

const tell = async (path) => (await fetch(control + path)).json();
const asked = async (of, what) => (await tell('/asked?of=' + of)).filter((a) => a.what === what).map((a) => a.order);
const plain = (s) => s.replace(/\u00a0/g, ' ').replace(/\s+/g, ' ').trim();
const words = async (locator) => plain(await locator.innerText());
const PATIENCE = 30000; // ms: on a machine that has other things to do
async function until(what, is, ms = PATIENCE) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await is();
    if (got) return got;
    if (Date.now() > end) throw new Error('did not come about: ' + what);
    await new Promise((next) => setTimeout(next, 50)); // between two looks
  }
}

// using opens the console of a deployment with a token, and fails when anything but that deployment was asked, or when
// the page had anything to say on the browser's console that the check does not expect.
async function using(name, token, options, look) {
  const { expected = [], hash = '', clock = false, init, ...context } = options;
  const ctx = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...context });
  ctx.setDefaultTimeout(PATIENCE);
  const said = [], others = [];
  ctx.on('request', (r) => { if (!r.url().startsWith(at[name] + '/') && !/^(blob|data):/.test(r.url())) others.push(r.url()); });
  ctx.on('console', (m) => { if (!expected.some((e) => e.test(m.text()))) said.push(m.text()); });
  ctx.on('weberror', (e) => said.push(String(e.error())));
  const page = await ctx.newPage();
  page.on('dialog', (d) => { said.push('a dialog'); d.dismiss(); });
  if (token) await page.addInitScript((t) => { if (!sessionStorage.getItem('token')) sessionStorage.setItem('token', t); }, tokens[token]);
  if (init) await page.addInitScript(init);
  if (clock) await page.clock.install();
  try {
    await page.goto(at[name] + '/' + hash);
    await look(page, ctx);
    assert.deepEqual(others, [], 'requests to others');
    assert.deepEqual(said, [], 'console');
  } finally {
    await ctx.close();
  }
}

async function check(name, run) {
  if (!name.includes(only)) return;
  const began = Date.now();
  let error = '';
  try { await run(); } catch (e) { error = e.message; }
  console.log(JSON.stringify({ name, error }));
  console.error(`${((Date.now() - began) / 1000).toFixed(1)} s  ${name}`);
}

// Views, and what is there when one is complete.
const SCREENS = [
  ['overview', '#/', '.panels'],
  ['parked', '#/parked', '[data-key=rows]'],
  ['quarantine', '#/quarantine', '[data-key=rows]'],
  ['record', '#/quarantine/3/1041', '[data-key=fields]'],
  ['order', `#/order/${ORDER}`, '[data-key=fields]'],
  ['compare', '#/compare', '[data-key=checks]'],
  ['instances', '#/instances', '.instances'],
];
// go leads to a view and waits for what is there when it is complete. The view before may have the same: it has to be
// gone first, as it is when hashchange has been heard (the page has heard it before, as it began to listen before).
async function go(page, hash, there) {
  await page.evaluate((h) => location.hash === h || new Promise((left) => {
    addEventListener('hashchange', left, { once: true });
    location.hash = h;
  }).then(() => true), hash);
  await page.locator('#main').locator(there).first().waitFor();
}

async function common(page, width) {
  await page.mouse.move(0, 0);
  await readable(page, width);
  const faint = await page.evaluate(() => {
    const style = getComputedStyle(document.documentElement), of = (name) => colour(style.getPropertyValue('--' + name));
    return ['ok', 'warn', 'bad', 'flow', 'idle', 'link', 'line-strong'].filter((name) => contrast(of(name), of('surface')) < 3);
  });
  assert.deepEqual(faint, [], 'contrast of drawings');
  const heads = await page.locator('h1:visible, h2:visible, h3:visible').evaluateAll((all) => all.map((h) => Number(h.tagName[1])));
  assert.equal(heads.filter((l) => l === 1).length, 1, 'one h1');
  heads.forEach((level, i) => assert.ok(i === 0 ? level === 1 : level <= heads[i - 1] + 1, `heading ${i} of level ${level}`));
  for (const role of ['banner', 'main', 'contentinfo', 'search']) assert.equal(await page.getByRole(role).count(), 1, role);
  assert.equal(await page.locator('th:not([scope])').count(), 0, 'th without scope');
  assert.equal(await page.locator('table:not(:has(caption))').count(), 0, 'table without caption');
  const bare = await page.evaluate(() => {
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
    return [...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => 'id twice: ' + id),
      ...[...document.querySelectorAll('input, select')].filter((e) => !e.labels.length && !e.ariaLabel).map((e) => 'no label: ' + e.outerHTML),
      ...[...document.querySelectorAll('button, a')].filter((e) => e.checkVisibility() && !e.textContent.trim()).map((e) => 'no name: ' + e.outerHTML),
      ...[...document.querySelectorAll('svg:not([aria-hidden=true]):not([role=img][aria-label])')].map((e) => 'a drawing without words: ' + e.outerHTML.slice(0, 80))];
  });
  assert.deepEqual(bare, []);
}

const LOOKS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { colorScheme: 'light', viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' }],
];
const click = (page, name) => page.getByRole('button', { name, exact: true }).click();
const dialog = (page) => page.locator('dialog[open]');

async function screens() {
  for (const [look, options] of LOOKS) {
    await check(`screens ${look}`, () => using('trouble', 'act', options, async (page) => {
      const width = options.viewport?.width ?? 1280;
      for (const [name, hash, there] of SCREENS) {
        await go(page, hash, there);
        await common(page, width).catch((e) => { throw new Error(`${name}: ${e.message}`); });
        if (look !== 'dark' || name === 'overview') await page.screenshot({ path: join(folder, `console-${name}-${look}.png`), fullPage: true });
      }
      await go(page, '#/', '.panels');
      assert.equal(await page.locator('.topology').isVisible(), look !== 'phone', 'the picture');
      assert.equal((await page.locator('.ways').boundingBox()).height > 50, look === 'phone', 'the list instead');
    }));
  }
  await check('dark is darker than light', async () => {
    const grounds = [];
    for (const [, options] of LOOKS.slice(0, 2)) {
      await using('well', 'view', options, async (page) => {
        await page.locator('.panels').waitFor();
        await page.evaluate(colours);
        await common(page, 1280);
        grounds.push(await page.evaluate(() => ['body', '.card', '.state'].map((s) => luminance(behind(document.querySelector(s))))));
        await page.screenshot({ path: join(folder, `console-well-${options.colorScheme}.png`), fullPage: true });
      });
    }
    grounds[0].forEach((l, i) => assert.ok(l > 0.7 && grounds[1][i] < 0.1, `${l} and ${grounds[1][i]}`));
  });
}

async function contents() {
  await check('all is well, in one sentence', () => using('well', 'view', {}, async (page) => {
    await page.locator('.state.ok').waitFor();
    assert.match(await words(page.locator('.headline')), /^All is well: 3 instances, 0\.\d s behind$/);
    assert.equal(await page.locator('.problems').count(), 0);
    assert.match(await page.title(), /^All is well/);
    assert.match(await words(page.locator('[data-figure=accounts]')), /even/);
    assert.match(await words(page.locator('[data-key=parked] tbody')), /^event an order whose event is not out yet 3 41 s organizer/);
    for (const text of ['Nothing went there', 'GO']) assert.ok((await words(page.locator('.panels'))).includes(text), text);
  }));

  await check('what is wrong, the gravest first', () => using('trouble', 'view', {}, async (page) => {
    await page.locator('.state.bad').waitFor();
    const said = [await words(page.locator('.headline')), ...(await page.locator('.problems li').allInnerTexts()).map(plain)];
    const want = [/^vibe-bridge-gate: partitions 2, 5, 8, 11 belong to no instance$/, /^fault bridge-2\.bridge:8080 does not answer$/, /^fault orders_done is paused: 61 % of/, /^warning 1 of 3 instances restores its state: 83 %$/,
      /^warning refunds stands still: 61 records wait, the oldest for 38 s$/, /^warning vibe-bridge-events is 2 min 14 s behind, 1,204 records$/, /^warning The comparison says NO-GO: coverage of refunds/, /^warning 1,284 records wait for event, the oldest for 2 h 36 min$/, /^warning 31 records wait for organizer/, /^note 227 records went to quarantine/];
    assert.equal(said.length, want.length, said.join('\n'));
    for (const line of want) assert.ok(said.some((s) => line.test(s)), `${line} in\n${said.join('\n')}`);
    assert.match(await words(page.locator('.panel[data-key=quarantine]')), /invalid_phone orders_done 214 event_without_dates events 4 undecodable .* 1 and 1 record for 1 other reason$/);
    const levels = said.slice(1).map((s) => s.split(' ')[0]);
    assert.deepEqual(levels, [...levels].sort((a, b) => ['fault', 'warning', 'note'].indexOf(a) - ['fault', 'warning', 'note'].indexOf(b)));
    assert.match(await page.title(), /^Fault: vibe-bridge-gate/);
  }));

  // What stands there first is gone some seconds later: the page itself notes it.
  const noted = () => {
    window.noted = [];
    new MutationObserver(() => {
      const said = document.querySelector('[data-figure=accounts] .value')?.textContent;
      if (said && said !== window.noted.at(-1)) window.noted.push(said);
    }).observe(document, { subtree: true, childList: true, characterData: true });
  };
  await check('accounts count only when nothing moves', () => using('off', 'view', { init: noted }, async (page) => {
    await page.locator('.state.bad').waitFor();
    assert.deepEqual(await page.evaluate(() => window.noted), ['3 open', 'off by 3']);
    assert.match(await words(page.locator('.headline')), /^The accounts are off by 3 although nothing is on its way: .* in events, orders_done$/);
  }));

  await check('the topology as a picture and as a table', () => using('trouble', 'view', {}, async (page) => {
    await page.locator('.topology').waitFor();
    const edge = (from, to) => page.locator(`[data-edge="${from}>${to}"]`);
    for (const id of ['legacy:orders_done', 'intake:orders_done', 'group:organizers', 'group:gate', 'slim:refunds', 'quarantine:quarantine']) assert.equal(await page.locator(`[data-node="${id}"]`).count(), 1, id);
    assert.match(await edge('legacy:events', 'intake:events').locator('.speed').textContent(), /^\d+(\.\d)?\/s$/);
    for (const [from, to, state, sign] of [['legacy:orders_done', 'intake:orders_done', 'paused', 1], ['intake:events', 'group:gate', 'lags', 1], ['group:gate', 'slim:refunds', 'stands', 1], ['legacy:events', 'intake:events', 'flows', 0]]) {
      assert.match(await edge(from, to).getAttribute('class'), new RegExp(state), from);
      assert.equal(await edge(from, to).locator('.sign').count(), sign, `${from}: a sign beside the colour`);
    }
    assert.match(await edge('intake:events', 'group:gate').locator('.lag').textContent(), /1,204 · 2\u00a0min 14\u00a0s/);
    assert.match(await page.locator('[data-node="group:gate"]').textContent(), /83\u00a0%/);
    // Boxes do not lie upon each other, and figures not upon boxes.
    const over = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll('.topology .node')].map((n) => [n.dataset.node, n.querySelector('rect').getBBox()]);
      const texts = [...document.querySelectorAll('.topology .edge text')].filter((t) => t.textContent).map((t) => [t.textContent, t.getBBox()]);
      const hit = ([, a], [, b]) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
      const pairs = [];
      boxes.forEach((a, i) => [...boxes.slice(i + 1), ...texts].forEach((b) => { if (hit(a, b)) pairs.push(`${a[0]} and ${b[0]}`); }));
      texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => { if (hit(a, b)) pairs.push(`${a[0]} and ${b[0]}`); }));
      return pairs;
    });
    assert.deepEqual(over, [], 'one upon the other');
    // The table is there for who does not see the picture, and for everybody by the button.
    const row = page.getByRole('row', { name: /orders_done orders_done intake-orders/ });
    assert.match(plain(await row.textContent()), /0 ?48,210 ?24 min 20 s ?paused/);
    assert.equal(await page.locator('.ways tbody tr').count(), await page.locator('.topology [data-edge]').count() + 5, 'all edges');
    await click(page, 'As a table');
    assert.equal(await page.locator('.topology').isVisible(), false);
    assert.match(await words(row), /paused$/);
  }));

  await check('parked: by reason, age and event', () => using('trouble', 'view', { hash: '#/parked' }, async (page) => {
    await page.locator('[data-key=rows]').waitFor();
    assert.deepEqual((await page.locator('.chips li').allInnerTexts()).map(plain), ['event 1,284 oldest 2 h 36 min', 'order 12 oldest 1 min 17 s', 'organizer 31 oldest 4 h 13 min', 'set 2 oldest 5 min 10 s']);
    assert.match(await words(page.locator('[data-key=missing]')), /Not all is in this list\. .*bridge-2\.bridge:8080 does not answer/);
    assert.match(await words(page.locator('.shown')), /^10 of 1,329 records, the oldest first Show more$/);
    await page.locator('.chips a').first().click();
    await until('the list of one reason', async () => await page.locator('.list tbody tr').count() === 7);
    assert.equal(await page.locator('#parked-reason').inputValue(), 'event');
    await page.locator('#parked-reason').selectOption('');
    await page.locator('#parked-event').fill(EVENT);
    await page.locator('#parked-older').selectOption('1m');
    await click(page, 'Show');
    await until('the list of one event', async () => await page.locator('.list tbody tr').count() === 2);
    assert.ok((await asked('trouble', 'parked')).some((q) => q.Reason === '' && q.Event === EVENT && q.OlderThan === 60e9));
    await page.locator('.list tbody tr a').first().click();
    await page.locator('.story').waitFor();
    assert.ok(page.url().endsWith(`#/order/${ORDER}?event=${EVENT}`), page.url());
  }));

  await check('a story, with its parents and children, masked', () => using('trouble', 'act', { hash: `#/order/${ORDER}?event=${EVENT}` }, async (page) => {
    await page.locator('.story').waitFor();
    assert.deepEqual(await page.locator('.story li').evaluateAll((all) => all.map((li) => li.dataset.what)), ['seen', 'waits', 'emitted', 'seen', 'quarantined', 'decided', 'waits']);
    assert.match(await words(page.locator('.story li').nth(2)), /^emitted It went out with 2 tickets\. 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC orders\/1\/31007$/);
    assert.deepEqual(await page.locator('.pairs tr.masked th').allTextContents(), ['customer.name', 'customer.email', 'customer.phone', 'tickets.0.barcode']);
    assert.match(await words(page.locator('.pairs')), /Aaaa Aaaaaaa masked .*\+99999999999 masked/);
    for (const canary of ['Анна', 'anna@', '79000000001', '4600000000017']) assert.ok(!(await page.content()).includes(canary), canary);
    assert.match(await words(page.locator('[data-key=masked]')), /right personal/);
    await page.locator('.chain a').click();
    await page.locator('h1', { hasText: 'Event' }).waitFor();
    await page.locator('.children a').first().waitFor();
    assert.match(await words(page.locator('.children')), /order 66f1a0c2e4b0a1000d000011 parked/);
    await page.goBack();
    await page.locator('h1', { hasText: 'Order' }).waitFor();
    await page.locator('.children a').click();
    await page.locator('h1', { hasText: 'Refund ' + REFUND }).waitFor();
    await page.locator('.chain a').nth(1).waitFor(); // the title is there before the answer
    assert.equal(await page.locator('.chain a').count(), 2);
  }));

  await check('what is in quarantine alone is found there, by its id and by an older place', () => using('trouble', 'view', { hash: '#/order/66f1a0c2e4b0a1000d000031', expected: [/status of 404/] }, async (page) => {
    const says = /Not found\. no instance has seen order 66f1a0c2e4b0a1000d000031; it is in quarantine, 3\/1041, because invalid_phone: customer\.phone is no possible number Show the record in quarantine/;
    await page.locator('#main [data-key=error]').waitFor();
    assert.match(await words(page.locator('#main [data-key=error]')), says);
    await readable(page, 1280);
    await go(page, '#/any/66f1a0c2e4b0a1000d000031', '[data-key=error] a');
    assert.match(await words(page.locator('#main [data-key=error]')), says);
    await page.locator('#main h1').filter({ hasText: 'Look up' }).waitFor();
    await page.getByRole('link', { name: 'Show the record in quarantine' }).click();
    await page.locator('[data-key=what]').waitFor();
    assert.match(page.url(), /#\/quarantine\/3\/1041$/);
    assert.equal(await page.locator('[data-key=newer]').count(), 0);
    await go(page, '#/quarantine/3/9', '[data-key=newer]');
    assert.equal(await words(page.locator('[data-key=newer]')), '3/9 says the same as 3/1041, which was written later and stands for it.');
    assert.equal(await words(page.locator('#views li', { hasText: 'Quarantine' })), 'Quarantine', 'how many are there the tab does not know');
  }));

  await check('personal data for who may see it', () => using('trouble', 'personal', { hash: `#/order/${ORDER}` }, async (page) => {
    await page.locator('.pairs').waitFor();
    assert.match(await words(page.locator('.pairs')), /Анна Иванова personal .*anna@example\.com personal/);
    assert.equal(await page.locator('.masked, [data-key=masked]').count(), 0);
  }));

  await check('comparison and its report', () => using('trouble', 'view', { hash: '#/compare' }, async (page, ctx) => {
    await page.locator('[data-key=streams]').waitFor();
    assert.match(await words(page.locator('.verdict')), /NO-GO coverage of refunds is 98\.89 %, want at least 99\.9 % 2\.25 % of refunds/);
    assert.deepEqual((await page.locator('[data-key=checks] tbody .mark').allInnerTexts()).map(plain), ['failed', 'failed', 'passed', 'passed']);
    assert.match(await words(page.locator('[data-key=streams] tbody tr').nth(1)), /^orders 3,018 2,749 22 22 0 0 130 117$/);
    const opened = ctx.waitForEvent('page');
    await click(page, 'Open the whole report');
    const report = await opened;
    await report.locator('h1').waitFor();
    assert.equal(await report.locator('h1').evaluate((h) => getComputedStyle(h).color), 'rgb(1, 2, 3)', 'its style');
    await until('its script', async () => await report.title() === 'the report ran');
  }));

  await check('instances and what they have', () => using('trouble', 'view', { hash: '#/instances' }, async (page) => {
    await page.locator('.instances').waitFor();
    const of = (i) => page.locator('.instance').nth(i);
    assert.match(await words(of(0)), /^bridge-0\.bridge:8080 this one ready/);
    assert.match(await words(of(1)), /restores, 83 % starting/);
    assert.equal(await of(1).locator('progress').first().getAttribute('value'), '65.5');
    assert.match(await words(of(1).locator('.partitions').first()), /4 restoring 25,420 of 41,028 7 connecting 0 of 41,049/);
    assert.match(await words(of(2)), /does not answer instance .*not within 1\.5s/);
    assert.match(await words(page.locator('[data-key=unassigned]')), /vibe-bridge-gate 2, 5, 8, 11$/);
  }));

  await check('nothing to show yet', () => using('empty', 'view', {}, async (page) => {
    await page.locator('.panels').waitFor();
    assert.match(await words(page.locator('.headline')), /^No instance takes part$/);
    assert.match(await words(page.locator('.flow')), /Nothing is known of the topology yet/);
    for (const [hash, text] of [['#/parked', 'Nothing waits.'], ['#/quarantine', 'Quarantine is empty.'], ['#/compare', 'No comparison runs.'], ['#/instances', 'No instance takes part.'], ['#/nowhere', 'There is no such view.']]) {
      await go(page, hash, '.empty');
      assert.ok((await words(page.locator('#main'))).includes(text), hash);
      await common(page, 1280);
    }
  }));
}

async function access() {
  const refused = { expected: [/status of 40[13]/] };
  await check('a token is asked for, and a wrong one explained', () => using('well', null, refused, async (page) => {
    await page.locator('.sign-in').waitFor();
    assert.match(await words(page.locator('.sign-in')), /^A token is wanted\. Token/, 'said once');
    assert.equal(await page.evaluate(() => document.querySelectorAll('.card').length), 1, 'nothing else is shown');
    await page.getByLabel('Token').fill('a-wrong-token-of-the-tests');
    await page.keyboard.press('Enter');
    await page.getByText('This token is not known.').waitFor();
    await readable(page, 1280);
    await page.getByLabel('Token').fill(tokens.view);
    await click(page, 'Look');
    await page.locator('.panels').waitFor();
    assert.equal(await page.evaluate(() => JSON.stringify([localStorage.length, document.cookie])), '[0,""]');
    await page.reload();
    await page.locator('.panels').waitFor();
    await page.locator('[data-do=access]').click();
    assert.match(await words(dialog(page)), /You may view, by the token of this tab/);
    await click(page, 'Forget the token');
    await page.getByText('A token is wanted').waitFor();
  }));
  await check('closed: what to configure', () => using('closed', null, refused, async (page) => {
    await page.locator('.sign-in').waitFor();
    assert.match(await words(page.locator('.sign-in')), /Nothing is shown to you here\. .*http\.view_token_file/);
  }));
  await check('open on this machine: seen without a token, and nothing to act with', () => using('open', null, {}, async (page) => {
    await page.locator('.panels').waitFor();
    assert.equal(await words(page.locator('[data-do=access]')), 'Your rights: view');
    assert.equal(await page.locator('[data-do=resume], [data-do^=resync]').count(), 0);
    assert.match(await words(page.locator('[data-key=paused]')), /Resuming takes a token with the right act/);
    await go(page, '#/quarantine', '[data-key=rows]');
    assert.equal(await page.locator('[data-do^=replay], [data-do=pick]').count(), 0);
    await go(page, `#/order/${ORDER}`, '.story');
    assert.equal(await page.locator('[data-do=resync]').count(), 0);
    await go(page, '#/compare', '[data-key=checks]');
    assert.equal(await page.getByRole('link', { name: 'Open the whole report' }).getAttribute('href'), 'compare/report.html');
  }));
}

async function actions() {
  await check('actions: resume, taken and refused', () => using('acted', 'act', { expected: [/status of 400/] }, async (page) => {
    await page.locator('[data-key=paused]').waitFor();
    await click(page, 'Resume orders_done');
    assert.match(await words(dialog(page)), /All instances read the topic again/);
    await click(page, 'Cancel');
    assert.deepEqual(await asked('acted', 'resume'), [], 'nothing without a yes');
    await click(page, 'Resume orders_done');
    await dialog(page).getByRole('button', { name: 'Resume orders_done' }).click();
    await page.getByText('orders_done is resumed; it was paused since').waitFor();
    assert.deepEqual(await asked('acted', 'resume'), ['orders_done']);
    await click(page, 'Close');
    await until('the topic is no longer shown as paused', async () => await page.locator('.paused [data-topic=orders_done]').count() === 0);
    await click(page, 'Resume events');
    await dialog(page).getByRole('button', { name: 'Resume events' }).click();
    await page.locator('[data-step=failed]').waitFor();
    assert.match(await words(page.locator('.went')), /^Not done\. events is held by another version/);
    assert.equal(await dialog(page).locator('[data-do=carry-out]').count(), 0);
    await page.keyboard.press('Escape');
    await until('the dialog is gone', async () => await dialog(page).count() === 0);
    await until('focus is where it was', async () => await page.evaluate(() => document.activeElement.textContent) === 'Resume events');
    // Another action before the end of the last has been heard: its dialog stays as it is.
    await click(page, 'Resume events');
    await page.evaluate(() => {
      document.querySelector('[data-do=close]').click();
      document.querySelector('.paused [data-do=resume]').click();
    });
    await page.evaluate(() => new Promise((heard) => requestAnimationFrame(() => requestAnimationFrame(heard))));
    assert.match(await words(dialog(page)), /^Resume events/);
  }));

  await check('actions: an event and an order are emitted again', () => using('acted', 'act', { hash: `#/order/${ORDER}` }, async (page) => {
    await page.locator('.story').waitFor();
    await click(page, 'Emit it again');
    await page.getByText('This would send 3 commands to the running bridge, to emit again 1 event, 143 orders and 5 refunds.').waitFor();
    await click(page, 'Emit again');
    await page.getByText('3 of 3 commands sent.').waitFor();
    await click(page, 'Close');
    await go(page, `#/event/${EVENT}`, '.story');
    await click(page, 'Emit it again');
    await page.getByText('This would send 3 commands').waitFor();
    await click(page, 'Emit again');
    await page.getByText('3 of 3 commands sent.').waitFor();
    assert.deepEqual(await asked('acted', 'resync'), [{ order: ORDER, dry_run: true }, { order: ORDER }, { event: EVENT, dry_run: true }, { event: EVENT }]);
  }));

  await check('actions: what has changed since a time is emitted again', () => using('acted', 'act', { expected: [/status of 400/] }, async (page) => {
    const since = async () => (await asked('acted', 'resync')).filter((order) => order.since);
    await click(page, 'Emit again since a time');
    await page.getByLabel('Changed since').fill(' yesterday ');
    await page.keyboard.press('Enter');
    await page.getByText('Not done. since: want a time such as').waitFor();
    assert.equal(await dialog(page).locator('[data-do=carry-out]').count(), 0);
    await click(page, 'Close');
    await click(page, 'Emit again since a time');
    assert.equal(await page.getByLabel('Changed since').inputValue(), '');
    await page.getByLabel('Changed since').fill('2h');
    await readable(page, 1280);
    await click(page, 'Ask what would happen');
    await page.getByText('This would send 3 commands').waitFor();
    assert.match(await words(dialog(page)), /^Emit again since 2h The bridge emits every event, order and refund/);
    await click(page, 'Emit again');
    await page.getByText('3 of 3 commands sent.').waitFor();
    assert.deepEqual(await since(), [{ since: 'yesterday', dry_run: true }, { since: '2h', dry_run: true }, { since: '2h' }]);
  }));

  await check('actions: replay of what is chosen, and of a reason', () => using('acted', 'act', { hash: '#/quarantine' }, async (page) => {
    await page.locator('[data-key=rows]').waitFor();
    const before = (await asked('acted', 'replay')).length, since = async () => (await asked('acted', 'replay')).slice(before);
    assert.equal(await page.getByRole('button', { name: 'Replay chosen' }).isDisabled(), true);
    await page.getByLabel('Choose 3/1041').check();
    await click(page, 'Replay 1 chosen');
    await page.getByText('Nothing would leave quarantine').waitFor();
    assert.equal(await dialog(page).locator('[data-do=carry-out]').isDisabled(), true);
    await click(page, 'Cancel');
    await page.getByLabel('Choose 3/1042').check();
    await click(page, 'Replay 2 chosen');
    await page.getByText('This would replay 2 records: ').waitFor();
    assert.match(await words(page.locator('.went')), /1 sent.*1 record would stay in quarantine/);
    await click(page, 'Replay 2 records');
    await page.getByText('2 records replayed: ').waitFor();
    await click(page, 'Close');
    await until('what was replayed is left out', async () => await page.getByLabel('Choose 3/1042').count() === 0);
    assert.equal(await page.locator('input:checked').count(), 0);
    await page.locator('.chips a', { hasText: 'too_large' }).click();
    await click(page, 'Replay all of too_large');
    await click(page, 'Replay 1 record');
    await page.getByText('1 record replayed: 1 sent.').waitFor();
    assert.deepEqual(await since(), [{ positions: ['3/1041'], dry_run: true }, { positions: ['3/1041', '3/1042'], dry_run: true }, { positions: ['3/1041', '3/1042'] }, { reason: 'too_large', dry_run: true }, { reason: 'too_large' }]);
    await click(page, 'Close');
    await page.getByText('Nothing in quarantine is like this.').waitFor();
    await page.locator('#bad-replayed').selectOption('true');
    await click(page, 'Show');
    await page.locator('.list .mark', { hasText: 'replayed' }).waitFor();
  }));

  await check('actions: refused to who lost the right', () => using('trouble', 'act', { hash: '#/quarantine/3/1044', expected: [/status of 403/] }, async (page) => {
    await page.locator('[data-do=replay-one]').waitFor();
    await page.evaluate((t) => sessionStorage.setItem('token', t), tokens.view);
    await click(page, 'Replay this record');
    await page.locator('[data-step=failed]').waitFor();
    assert.match(await words(page.locator('.went')), /^Not done\. You may not do this: .*http\.act_token_file/);
    assert.deepEqual(await asked('trouble', 'replay'), []);
  }));

  await check('by the keyboard alone: look up, and replay', () => using('trouble', 'act', { expected: [/status of 404/] }, async (page) => {
    await page.locator('.panels').waitFor();
    const on = async () => plain(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
    const is = (want) => until(`focus on ${want}`, async () => (await on()).startsWith(want));
    const tab = async (to, most = 40) => {
      for (let i = 0; i < most; i++) {
        await page.keyboard.press('Tab');
        if (await on() === to) return;
      }
      throw new Error(`Tab does not lead to ${to}`);
    };
    await page.keyboard.press('Tab');
    assert.equal(await on(), 'skip', 'the first stop leads to the content');
    assert.notEqual(await page.locator('#skip').evaluate((e) => getComputedStyle(e).outlineStyle), 'none', 'focus is seen');
    await page.keyboard.press('Enter');
    await is('main');
    await page.locator('#lookup-kind').focus();
    await tab('lookup-id', 1);
    await page.keyboard.type(REFUND);
    await page.keyboard.press('Enter');
    await page.locator('.story').waitFor();
    assert.ok(page.url().endsWith('#/refund/' + REFUND), page.url());
    await is('Refund ' + REFUND); // the new heading
    await page.locator('#lookup-id').fill('nobody');
    await page.locator('#lookup-id').press('Enter');
    await page.getByText('No event, order or refund with the id nobody').waitFor();
    await go(page, '#/quarantine/3/1044', '[data-key=fields]');
    await tab('Replay this record');
    await page.keyboard.press('Enter');
    await page.getByText('This would replay 1 record: 1 sent.').waitFor();
    const stops = new Set();
    for (let i = 0; i < 5; i++) {
      await page.keyboard.press('Tab');
      stops.add(await on());
    }
    for (const stop of ['Cancel', 'Replay 1 record']) assert.ok(stops.has(stop), stop);
    assert.equal([...stops].some((s) => ['skip', 'lookup-id', 'Replay this record'].includes(s)), false, 'focus stays in the dialog');
    await tab('Replay 1 record', 5);
    await page.keyboard.press('Enter');
    await page.locator('[data-step=done]').waitFor();
    await is('Close');
    assert.deepEqual(await asked('trouble', 'replay'), [{ positions: ['3/1044'], dry_run: true }, { positions: ['3/1044'] }]);
    await page.keyboard.press('Enter');
    await until('the dialog is gone', async () => await dialog(page).count() === 0);
    await is('Replay this record');
  }));

  await check('an answer that is not as it should be', () => using('trouble', 'view', { hash: '#/order/of-another-version', expected: [/TypeError/] }, async (page) => {
    await page.getByText('This cannot be shown.').waitFor();
    await page.getByRole('link', { name: 'To the overview' }).click();
    await page.locator('.panels').waitFor();
  }));

  await check('a lookup while the owner restores', () => using('trouble', 'view', { hash: '#/order/restoring', expected: [/status of 503/] }, async (page) => {
    await page.locator('.error').waitFor();
    assert.match(await words(page.locator('.error')), /partition 7 is being restored, 62 % of it are there/);
  }));
}

async function stream() {
  await check('the stream: what changes is changed in place', () => using('shaky', 'view', {}, async (page) => {
    await page.locator('.panels').waitFor();
    const read = page.locator('[data-figure=read] .value');
    await page.evaluate(() => {
      const link = document.querySelector('[data-key=parked] tbody a');
      link.focus();
      window.kept = [link, document.querySelector('.topology'), ...document.querySelectorAll('.figure, .edge')];
      window.added = 0;
      new MutationObserver((all) => all.forEach((m) => m.addedNodes.forEach((n) => { if (n.nodeType === 1 && n.localName !== 'polyline') window.added++; }))).observe(document.getElementById('main'), { childList: true, subtree: true });
    });
    const first = await read.textContent();
    await until('another figure', async () => await read.textContent() !== first);
    assert.equal(await page.evaluate(() => window.kept.every((e) => e.isConnected) && document.activeElement === window.kept[0]), true, 'elements and focus stay');
    assert.ok(await page.evaluate(() => window.added) <= 4, 'next to nothing is made anew');
  }));

  await check('the stream: lost and found again', () => using('shaky', 'view', { expected: [/ERR_/], clock: true }, async (page) => {
    const is = (state) => page.locator(`.link[data-state=${state}]`).waitFor();
    await is('live');
    assert.match(await words(page.locator('.link')), /^live, updated \d s ago$/);
    await page.clock.pauseAt(await page.evaluate(() => Date.now()) + 5000); // it tries again when the check says so
    await tell('/cut');
    await is('lost');
    assert.match(await words(page.locator('#status')), /^connection lost, updated \d s ago .*\. Again in 1 s\. Try now/);
    await common(page, 1280);
    assert.equal(await page.locator('.panels').count(), 1, 'what was known is still there');
    await page.clock.runFor(1100);
    await until('a longer wait', async () => /Again in 2 s\./.test(await words(page.locator('#status'))));
    await tell('/mend');
    await click(page, 'Try now');
    await is('live');
    assert.equal(await page.locator('body.stale').count(), 0);
    await tell('/cut');
    await is('lost');
    await tell('/mend');
    await page.clock.runFor(1100);
    await is('live');
    await tell('/hush');
    await until('silence is seen', async () => {
      await page.clock.runFor(500); // a second later it tries again
      return /Nothing has come for 10 s\./.test(await words(page.locator('#status')));
    });
  }).finally(() => tell('/mend')));

  await check('the stream: an instance that cannot tell', () => using('shaky', 'view', {}, async (page) => {
    await page.locator('.panels').waitFor();
    await tell('/fail');
    await page.getByText('no news for').waitFor();
    assert.match(await words(page.locator('.link')), /the group cannot be described: no coordinator/);
    await tell('/recover');
    await page.getByText('live, updated').waitFor();
  }).finally(() => tell('/recover')));

  await check('the stream: none while nobody looks', () => using('shaky', 'view', {}, async (page) => {
    await page.locator('.panels').waitFor();
    const hide = (hidden) => page.evaluate((h) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => h });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await until('one stream', async () => await tell('/streams') === 1);
    await hide(true);
    await until('no stream', async () => await tell('/streams') === 0);
    await hide(false);
    await until('one stream again', async () => await tell('/streams') === 1);
    await page.locator('.link[data-state=live]').waitFor();
  }));
}

async function hostile() {
  const start = canary.slice(0, 12);
  for (const [look, options] of [LOOKS[0], LOOKS[2]]) {
    await check(`nothing of the data runs, ${look}`, () => using('hostile', 'act', options, async (page) => {
      const width = options.viewport?.width ?? 1280;
      for (const [name, hash, there] of [...SCREENS, ['event', `#/event/${EVENT}`, '.story']]) {
        await go(page, hash, there);
        assert.ok((await page.locator('#main').textContent()).includes(start), `${name} shows what the server says`);
        assert.equal(await page.locator('img, iframe, script:not([src]), [onerror], [onclick], [style]').count(), 0, name);
        assert.deepEqual(await page.locator('a').evaluateAll((all) => all.map((a) => a.protocol).filter((p) => p !== 'http:')), [], `${name}: links`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, `${name} scrolls sideways`);
      }
      await go(page, '#/', '.panels');
      await page.locator('[data-do=resume]').first().click();
      assert.ok((await dialog(page).textContent()).includes(start));
      await dialog(page).locator('[data-do=carry-out]').click();
      await page.locator('[data-step=done]').waitFor();
      assert.ok((await asked('hostile', 'resume')).every((topic) => topic === 'orders_done' + canary));
      await click(page, 'Close');
      await go(page, '#/quarantine', '[data-key=rows]');
      await page.locator('.list tbody td', { hasText: start }).first().waitFor();
      assert.equal(await page.evaluate(() => typeof window.hacked), 'undefined');
    }));
  }
  await check('a hostile address', () => using('well', 'view', { hash: `#/order/${encodeURIComponent(canary)}?event=%3Cimg%20src=x%3E`, expected: [/status of 404/] }, async (page) => {
    await page.locator('.error').waitFor();
    assert.ok((await page.locator('.error').textContent()).includes(canary));
    for (const hash of ['#/%', '#/__proto__', '#/constructor/x', '#/any']) {
      await go(page, hash, '.empty, .error');
    }
    assert.equal(await page.evaluate(() => typeof window.hacked), 'undefined');
  }));
  await check('the policy stops a script that got in', () => using('well', 'view', { expected: [/Content Security Policy/] }, async (page) => {
    await page.locator('.panels').waitFor();
    await page.evaluate(() => {
      window.stopped = new Promise((done) => document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective)));
      const s = document.createElement('script');
      s.textContent = 'window.hacked = 1';
      document.body.append(s);
    });
    assert.equal(await page.evaluate(() => window.stopped), 'script-src-elem');
    assert.equal(await page.evaluate(() => typeof window.hacked), 'undefined');
  }));
}

// Pictures of the documentation.
async function take() {
  for (const [name, of, hash, there, options] of [
    ['console-overview.png', 'trouble', '#/', '.panels', { colorScheme: 'light', viewport: { width: 1180, height: 1150 } }],
    ['console-dark.png', 'well', '#/', '.panels', { colorScheme: 'dark', viewport: { width: 1280, height: 1010 } }],
    ['console-story.png', 'trouble', `#/order/${ORDER}?event=${EVENT}`, '[data-key=fields]', { colorScheme: 'light', viewport: { width: 1280, height: 1010 } }],
    ['console-phone.png', 'trouble', '#/', '.panels', { colorScheme: 'dark', viewport: { width: 360, height: 1000 }, deviceScaleFactor: 1.5, isMobile: true }],
  ]) {
    await using(of, 'act', { ...options, hash }, async (page) => {
      await page.locator(there).first().waitFor();
      if (of === 'well') await until('a curve', async () => (await page.locator('.curve polyline').first().getAttribute('points').catch(() => '')).split(' ').length > 20, 90000);
      const path = join(pictures, name);
      await page.screenshot({ path });
      console.error(`${path}: ${Math.ceil(statSync(path).size / 1024)} KiB`);
    });
  }
}

try {
  if (pictures) await check('pictures', take);
  else await Promise.all([screens(), contents(), actions(), stream().then(access).then(hostile)]); // each waits most of its time
  console.log(JSON.stringify({ done: true }));
} finally {
  await browser.close();
}
