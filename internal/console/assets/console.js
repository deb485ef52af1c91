// The console: one page, fed by the API of the instance that has served it.
//
// A view is a function that makes elements of what is known. draw() has all of them made anew, and patch() turns what is
// on the page into that: focus, selection and what is open stay where they are, and what has not changed is not touched.
// Whatever the server says becomes text or an encoded part of a link, and nothing else.
(() => {
  'use strict';

  const LAGS = 10, LATE = 300; // seconds behind at which an edge lags, and at which that is grave
  const STANDS = 5; // seconds that the oldest record waits while nothing moves
  const STILL = 3; // overviews without any movement after which the accounts have to be even
  const OLD = 3600; // seconds parked after which somebody should look
  const SILENCE = 10000; // ms without anything on the stream, which brings something every 2 s
  const RETRIES = [1000, 2000, 4000, 8000, 15000]; // ms
  const MOST = 100; // of what depends on an entity, that the server tells
  const AGAIN = 10000; // ms after which a list or a story is asked for again
  const HISTORY = 150; // points of the small curves: five minutes

  // --- elements ---

  const SVG = 'http://www.w3.org/2000/svg';
  function make(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ''));
    return node;
  }
  const h = (tag, attributes, ...children) => make(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => make(document.createElementNS(SVG, tag), attributes, children);
  const at = (id) => document.getElementById(id);

  const keyOf = (node) => node.dataset?.key;
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
  function patch(have, want) {
    for (const { name } of [...have.attributes]) {
      if (!want.hasAttribute(name) && name !== 'open') have.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    }
    fill(have, [...want.childNodes]);
  }
  // fill gives parent these children. Those with a data-key are known again wherever they stand.
  function fill(parent, wanted) {
    const keys = new Set(wanted.map(keyOf));
    for (const child of [...parent.children]) {
      if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
    }
    const keyed = new Map([...parent.children].filter(keyOf).map((c) => [keyOf(c), c]));
    let next = parent.firstChild;
    for (const want of wanted) {
      const have = keyOf(want) ? keyed.get(keyOf(want)) : next;
      if (!have || !alike(have, want)) {
        parent.insertBefore(want, next);
        continue;
      }
      if (have === next) next = next.nextSibling;
      else parent.insertBefore(have, next);
      if (have.nodeType !== Node.ELEMENT_NODE) { if (have.data !== want.data) have.data = want.data; } else patch(have, want);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }
  const show = (parent, ...children) => fill(parent, [...h('div', null, ...children).childNodes]);

  // --- words ---

  const NB = '\u00a0';
  const count = (n) => Number(n ?? 0).toLocaleString('en-US');
  const many = (n, one, more) => `${count(n)}${NB}${n === 1 ? one : more ?? one + 's'}`;
  function rate(n) {
    if (n > 0 && n < 0.1) return '<' + '0.1';
    return Number(n ?? 0).toLocaleString('en-US', { maximumFractionDigits: n < 100 ? 1 : 0 });
  }
  function span(seconds) {
    const t = Math.max(0, Number(seconds) || 0), whole = Math.round(t);
    const two = (a, unit, b, lesser) => `${a}${NB}${unit}` + (b ? ` ${b}${NB}${lesser}` : '');
    if (t < 9.95) return `${(Math.round(t * 10) / 10).toLocaleString('en-US')}${NB}s`;
    if (whole < 60) return `${whole}${NB}s`;
    if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
    if (whole < 86400) return two(Math.floor(whole / 3600), 'h', Math.floor(whole % 3600 / 60), 'min');
    return two(Math.floor(whole / 86400), 'd', Math.floor(whole % 86400 / 3600), 'h');
  }
  const brief = (seconds) => seconds < 1 ? `${Math.round(seconds * 1000)}${NB}ms` : span(seconds);
  const percent = (share, digits = 3) => (100 * share).toLocaleString('en-US', { maximumFractionDigits: digits }) + NB + '%';
  function stamp(text) { // 2026-01-02 03:04:05 UTC
    const time = new Date(text);
    return isNaN(time) ? String(text ?? '') : time.toISOString().slice(0, 19).replace('T', ' ') + ' UTC';
  }
  const time = (text) => h('time', { datetime: text }, stamp(text));
  const of = (table, word) => Object.hasOwn(table, word) ? table[word] : undefined;

  // Why something waits, see mapping.WaitReason.
  const WAITS = {
    event: 'an order whose event is not out yet',
    set: 'an order with a ticket set that its event does not know',
    organizer: 'an event whose partner was not seen yet',
    organizer_missing: 'an event that cannot go out without its partner',
    order: 'a refund whose order is not out yet',
    order_not_published: 'a refund whose order was skipped',
    repeat: 'not held back: sent, and to be sent again',
  };

  const ICONS = {
    ok: ['M3 8.5l3.5 3.5L13 4.5'],
    bad: ['M3.5 3.5l9 9M12.5 3.5l-9 9'],
    warn: ['M8 2L15 14H1Z', 'M8 6.5v3.5M8 11.8v.4'],
    note: ['M8 7v5M8 4v.4'],
    paused: ['M5.5 3.5v9M10.5 3.5v9'],
    seen: ['M1.5 8C4 4 12 4 14.5 8C12 12 4 12 1.5 8Z', 'M8 7v2'],
    decided: ['M8 2l6 6-6 6-6-6Z'],
    emitted: ['M2 8h11M9 4l4 4-4 4'],
    waits: ['M8 1.8a6.2 6.2 0 1 0 .01 0Z', 'M8 4.5V8l2.5 1.8'],
    quarantined: ['M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5Z', 'M5.5 5.5l5 5M10.5 5.5l-5 5'],
    skipped: ['M8 1.8a6.2 6.2 0 1 0 .01 0Z', 'M3.8 12.2l8.4-8.4'],
    lock: ['M3.5 7.5h9v6h-9Z', 'M5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5'],
  };
  const icon = (name) => s('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, (of(ICONS, name) ?? ICONS.note).map((d) => s('path', { d })));
  // mark is a state by sign and word, so that nothing is said by colour alone.
  const mark = (level, text, sign) => h('span', { class: `mark ${level}` }, icon(sign ?? level), text);

  // --- links ---

  const enc = encodeURIComponent;
  function link(...parts) { // the last one may be an object, the query
    const query = typeof parts.at(-1) === 'object' ? parts.pop() : {};
    const given = Object.entries(query).filter(([, v]) => v !== '' && v !== undefined && v !== null && v !== false);
    return '#/' + parts.map(enc).join('/') + (given.length ? '?' + given.map(([k, v]) => `${enc(k)}=${enc(v)}`).join('&') : '');
  }
  const KINDS = ['event', 'order', 'refund'];
  const entity = (kind, id, query) => KINDS.includes(kind) && id ? h('a', { class: 'id', href: link(kind, id, query ?? {}) }, id) : h('span', { class: 'id' }, id);
  function where() {
    const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
    let parts;
    try { parts = path.split('/').map(decodeURIComponent); } catch { parts = ['unknown']; }
    return { name: parts[0] || 'overview', parts: parts.slice(1), query: Object.fromEntries(new URLSearchParams(query)), hash: location.hash };
  }

  // --- asking the server ---

  const kept = { // the token: for this tab, and for as long as it is open
    memory: '',
    get() { try { return sessionStorage.getItem('token') ?? ''; } catch { return this.memory; } },
    set(token) {
      this.memory = token;
      try { if (token) sessionStorage.setItem('token', token); else sessionStorage.removeItem('token'); } catch { /* kept in memory */ }
    },
  };
  class Failure extends Error {
    constructor(status, text, quarantine = '') { super(text); this.status = status; this.quarantine = quarantine; }
  }
  const left = (e) => e.name === 'AbortError';
  async function ask(path, order, signal) {
    const token = kept.get(), headers = {};
    if (token) headers.Authorization = 'Bearer ' + token;
    if (order) headers['Content-Type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(path, { method: order ? 'POST' : 'GET', headers, body: order && JSON.stringify(order), cache: 'no-store', signal });
    } catch (e) {
      if (left(e)) throw e;
      throw new Failure(0, e instanceof TypeError ? 'This instance does not answer.' : e.message);
    }
    if (answer.ok) return answer;
    const text = await answer.text().catch(() => '');
    let said = {};
    try { said = JSON.parse(text) ?? {}; } catch { said = {}; }
    throw new Failure(answer.status, String(said.error ?? '') || `The instance answers with status ${answer.status}.`, String(said.quarantine ?? ''));
  }
  const get = async (path, signal) => (await ask(path, null, signal)).json();
  const send = async (path, order) => (await ask(path, order)).json();
  const queried = (path, query) => path + '?' + new URLSearchParams(Object.entries(query).filter(([, v]) => v));

  // --- the stream ---

  let now = null; // the newest overview
  const past = []; // {behind, read, written} of earlier ones
  const stream = { state: 'connecting', error: null, failures: 0, retryAt: 0, last: 0, heard: 0, still: 0, timer: 0, open: null };
  const serverNow = () => Date.parse(now.time) + (performance.now() - stream.last);
  const since = (text) => (serverNow() - Date.parse(text)) / 1000;

  function take(overview) {
    now = overview;
    Object.assign(stream, { state: 'live', error: null, failures: 0, last: performance.now() });
    past.push(flows(now));
    stream.still = flows(now).read || now.edges.some((e) => e.lag_records) ? 0 : stream.still + 1;
    if (past.length > HISTORY) past.shift();
    draw();
  }

  async function connect() {
    clearTimeout(stream.timer);
    stream.open?.abort();
    stream.open = null;
    if (document.hidden) {
      stream.state = 'asleep';
      return;
    }
    const open = stream.open = new AbortController();
    stream.state = stream.failures ? 'again' : 'connecting';
    stream.heard = performance.now();
    drawStatus();
    try {
      const answer = await ask('api/v1/stream', null, open.signal);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const { value, done } = await reader.read();
        if (done) throw new Failure(0, 'The instance has ended the connection.');
        stream.heard = performance.now();
        const messages = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
        rest = messages.pop();
        for (const message of messages) {
          const lines = message.split('\n');
          const part = (name) => lines.filter((l) => l.startsWith(name + ':')).map((l) => l.slice(name.length + 1).replace(/^ /, '')).join('\n');
          if (stream.open !== open) return;
          if (part('event') === 'overview') take(JSON.parse(part('data')));
          if (part('event') === 'failure') {
            stream.error = new Failure(0, String(JSON.parse(part('data')).error));
            draw();
          }
        }
      }
    } catch (e) {
      if (stream.open === open) lost(e instanceof Failure ? e : new Failure(0, 'The connection broke off.'));
    }
  }

  function lost(failure) {
    stream.open?.abort();
    stream.open = null;
    stream.error = failure;
    if (failure.status === 401 || failure.status === 403) {
      stream.state = 'out';
      now = null;
      past.length = 0;
      draw();
      return;
    }
    const wait = RETRIES[Math.min(stream.failures, RETRIES.length - 1)];
    stream.failures++;
    stream.state = 'lost';
    stream.retryAt = performance.now() + wait;
    stream.timer = setTimeout(connect, wait);
    draw();
  }

  function tick() {
    const silent = stream.open && performance.now() - stream.heard > SILENCE;
    if (silent) lost(new Failure(0, `Nothing has come for ${span(SILENCE / 1000)}.`));
    else drawStatus();
  }

  // --- what the overview says ---

  const kindOf = (id) => String(id).slice(0, Math.max(0, String(id).indexOf(':')));
  function flows(o) {
    const sum = (edges) => edges.reduce((n, e) => n + e.records_per_second, 0);
    return {
      behind: Math.max(0, ...o.edges.map((e) => e.lag_seconds)),
      read: sum(o.edges.filter((e) => kindOf(e.from) === 'legacy')),
      written: sum(o.edges.filter((e) => kindOf(e.to) === 'slim')),
    };
  }
  const EDGES = {
    paused: ['bad', 'paused', 'paused'], stands: ['bad', 'stands still', 'bad'], lags: ['warn', 'lags', 'warn'],
    flows: ['ok', 'flows', 'ok'], idle: ['soft', 'idle', 'note'],
  };
  function edgeState(o, e) {
    if (kindOf(e.from) === 'legacy' && o.paused.some((p) => p.topic === e.topic)) return 'paused';
    if (e.lag_records > 0 && !e.records_per_second && e.lag_seconds >= STANDS) return 'stands';
    if (e.lag_seconds >= LAGS) return 'lags';
    return e.records_per_second > 0 || e.lag_records > 0 ? 'flows' : 'idle';
  }
  function restored(partitions) { // share from 0 to 1, and whether something is still to come
    const total = partitions.reduce((n, p) => n + p.total, 0), got = partitions.reduce((n, p) => n + Math.min(p.restored, p.total), 0);
    const open = partitions.filter((p) => p.state !== 'running').length;
    return { share: total ? got / total : open ? 0 : 1, open };
  }
  const everyPartition = (i) => i.groups.flatMap((g) => g.partitions);
  const nameOf = (i) => i.url.replace(/^https?:\/\//, '') || i.id;

  // What is on its way is in no account yet: they tell something only when nothing moves, in several overviews.
  const accountsOff = (o) => o.accounts.known && o.accounts.balance !== 0 && stream.still >= STILL;

  // problems of a deployment, the gravest first.
  function problems(o) {
    const found = [];
    const say = (level, text, href) => found.push({ level, text, href });
    if (accountsOff(o)) say('bad', `The accounts are off by ${count(o.accounts.balance)} although nothing is on its way: records without an outcome, or with two, in ${Object.entries(o.accounts.topics).filter(([, n]) => n).map(([topic]) => topic).join(', ')}`);
    if (!o.instances.length) say('bad', 'No instance takes part');
    for (const u of o.unassigned) if (u.partitions.length) say('bad', `${u.group}: ${u.partitions.length === 1 ? 'partition' : 'partitions'} ${ranges(u.partitions)} ${u.partitions.length === 1 ? 'belongs' : 'belong'} to no instance`, link('instances'));
    for (const i of o.instances) if (!i.reachable) say('bad', `${nameOf(i)} does not answer`, link('instances'));
    for (const p of o.paused) say('bad', `${p.topic} is paused: ${p.why}`, link('paused', p.topic));
    const restoring = o.instances.filter((i) => i.reachable && everyPartition(i).some((p) => p.state !== 'running'));
    if (restoring.length) {
      const { share } = restored(restoring.flatMap(everyPartition));
      say('warn', `${restoring.length} of ${many(o.instances.length, 'instance')} ${restoring.length === 1 ? 'restores its' : 'restore their'} state: ${percent(share, 0)}`, link('instances'));
    }
    const unready = new Map();
    for (const i of o.instances.filter((i) => i.reachable && !i.ready && !restoring.includes(i))) {
      for (const r of i.reasons.length ? i.reasons : ['it does not say why']) {
        if (!o.paused.some((p) => r.includes(p.topic))) unready.set(r, [...unready.get(r) ?? [], nameOf(i)]);
      }
    }
    for (const [reason, names] of unready) say('warn', `${names.length === 1 ? `${names[0]} is` : `${many(names.length, 'instance')} are`} not ready: ${reason}`, link('instances'));
    // What an instance that is not ready holds back may well stand still.
    const settled = o.instances.every((i) => i.ready);
    for (const e of o.edges) {
      const state = edgeState(o, e);
      if (state === 'stands') say(settled ? 'bad' : 'warn', `${e.topic} stands still: ${many(e.lag_records, 'record')} ${e.lag_records === 1 ? 'waits' : 'wait'}, the oldest for ${span(e.lag_seconds)}`);
      if (state === 'lags') say(e.lag_seconds >= LATE ? 'bad' : 'warn', `${e.topic} is ${span(e.lag_seconds)} behind, ${many(e.lag_records, 'record')}`);
    }
    if (o.compare && !o.compare.go) say('warn', `The comparison says NO-GO: ${o.compare.reasons[0] ?? 'it gives no reason'}`, link('compare'));
    for (const p of o.parked) {
      if (p.reason !== 'repeat' && p.oldest_seconds >= OLD) say('warn', `${many(p.count, 'record')} ${p.count === 1 ? 'waits' : 'wait'} for ${p.reason}, the oldest for ${span(p.oldest_seconds)}`, link('parked', { reason: p.reason }));
    }
    const versions = new Set(o.instances.map((i) => i.version).filter(Boolean));
    if (versions.size > 1) say('note', `${versions.size} versions are running: ${[...versions].join(', ')}`, link('instances'));
    const bad = o.quarantine.reduce((n, q) => n + q.count, 0);
    if (bad) say('note', `${many(bad, 'record')} went to quarantine since the instances started`, link('quarantine'));
    const weight = { bad: 0, warn: 1, note: 2 };
    return found.map((p, i) => [p, i]).sort(([a, i], [b, j]) => weight[a.level] - weight[b.level] || i - j).map(([p]) => p);
  }
  function ranges(numbers) { // 0–3, 7
    const out = [];
    for (const n of [...numbers].sort((a, b) => a - b)) {
      const last = out.at(-1);
      if (last && last[1] === n - 1) last[1] = n; else out.push([n, n]);
    }
    return out.map(([a, b]) => a === b ? a : b === a + 1 ? `${a}, ${b}` : `${a}–${b}`).join(', ');
  }
  const may = (right) => Boolean(now?.rights.includes(right));

  // --- what stands above every view ---

  const VIEWS = [['overview', 'Overview'], ['parked', 'Parked'], ['quarantine', 'Quarantine'], ['compare', 'Comparison'], ['instances', 'Instances']];
  function drawTop(route) {
    show(at('brand'), h('b', null, 'vibe-bridge'), 'console', now && [
      h('span', { class: 'pill' }, now.deployment), h('span', { class: 'about' }, `edition ${now.edition}, ${now.format}`)]);
    const badge = now && {
      parked: count(now.parked.reduce((n, p) => n + p.count, 0)), // of quarantine only what went there since the start is known here
      compare: now.compare && (now.compare.go ? 'GO' : 'NO-GO'), instances: count(now.instances.length),
    };
    show(at('views'), VIEWS.map(([name, label]) => h('li', { 'data-key': name }, h('a', { href: name === 'overview' ? '#/' : link(name), 'aria-current': route.name === name && (route.parts.length ? 'true' : 'page') },
      label, badge?.[name] && badge[name] !== '0' && [' ', h('span', { class: 'count' }, badge[name])]))));
    at('lookup').hidden = !now;
    show(at('foot'), now && `vibe-bridge ${now.version}. Times are in UTC. Everything here is to be had as JSON as well, under api/v1.`);
  }

  function drawStatus() {
    const ago = stream.last ? span((performance.now() - stream.last) / 1000).replace(/\.\d/, '') : '';
    const again = () => h('button', { type: 'button', 'data-do': 'retry', 'data-key': 'retry' }, 'Try now');
    const lostFor = () => mark('bad', `connection lost${ago ? `, updated ${ago} ago` : ''}`);
    const status = {
      connecting: () => stream.error ? mark('bad', stream.error.message) : mark('soft', 'connecting', 'waits'),
      live: () => stream.error ? mark('bad', `no news for ${ago}: ${stream.error.message}`) : mark('ok', `live, updated ${ago} ago`),
      again: () => [lostFor(), ' ', h('span', { class: 'soft' }, 'Trying again.'), ' ', again()],
      lost: () => [lostFor(), ' ', h('span', { class: 'soft' }, `${stream.error.message} Again in ${span(Math.max(0, Math.ceil((stream.retryAt - performance.now()) / 1000)))}.`), ' ', again()],
      asleep: () => mark('soft', 'paused while out of sight', 'paused'),
      out: () => mark('warn', 'no access', 'lock'),
    }[stream.state]();
    show(at('status'), h('span', { class: 'link', 'data-state': stream.state }, status),
      now && h('button', { type: 'button', 'data-do': 'access', 'data-key': 'access', 'aria-haspopup': 'dialog' }, icon('lock'), h('span', { class: 'unseen' }, 'Your rights: '), now.rights.join(', ')));
    document.body.classList.toggle('stale', now !== null && stream.state === 'lost');
  }

  const SIGN = {
    ok: ['M24 2a22 22 0 1 0 .01 0Z', 'M14 25l7 7 14-15'], warn: ['M24 3L47 44H1Z', 'M24 17v13M24 36.4v.6'], bad: ['M15 2h18l13 13v18L33 46H15L2 33V15Z', 'M17 17l14 14M31 17L17 31'],
  };
  let headline = '';
  function drawState(route) {
    const box = at('state');
    box.hidden = !now;
    if (!now) {
      document.title = 'vibe-bridge';
      return;
    }
    const all = problems(now), level = all.find((p) => p.level !== 'note')?.level ?? 'ok';
    const f = flows(now);
    const text = level === 'ok' ? 'All is well' : all[0].text;
    const figures = `${many(now.instances.length, 'instance')}, ${span(f.behind)} behind, ${rate(f.read)}${NB}records/s read, ${rate(f.written)} written`;
    const wide = route.name === 'overview', rest = level === 'ok' ? all : all.slice(1);
    box.className = `state ${level}${wide ? '' : ' small'}`;
    show(box, s('svg', { class: 'sign', viewBox: '0 0 48 48', 'aria-hidden': 'true' }, s('path', { class: 'plate', d: SIGN[level][0] }), s('path', { d: SIGN[level][1] })),
      h('div', { class: 'say' },
        h('p', { class: 'headline' }, level === 'ok' ? `All is well: ${many(now.instances.length, 'instance')}, ${span(f.behind)} behind` : all[0].href ? h('a', { href: all[0].href }, text) : text),
        wide ? h('p', { class: 'figures-line' }, level === 'ok' ? `${rate(f.read)}${NB}records/s read, ${rate(f.written)} written` : figures) :
          rest.length > 0 && h('p', { class: 'figures-line' }, h('a', { href: '#/' }, `and ${many(rest.length, 'more thing')} to know`)),
        wide && rest.length > 0 && h('ul', { class: 'problems' }, rest.map((p) => h('li', { class: p.level }, mark(p.level, { bad: 'fault', warn: 'warning', note: 'note' }[p.level]), ' ', p.href ? h('a', { href: p.href }, p.text) : h('span', null, p.text))))));
    const word = { ok: 'All is well', warn: 'Warning', bad: 'Fault' }[level];
    document.title = `${level === 'ok' ? word : `${word}: ${text}`} – vibe-bridge`;
    const fill = { ok: '14603a', warn: '8a5300', bad: 'a1201a' }[level];
    const picture = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 48 48'%3E%3Cpath fill='%23${fill}' d='${SIGN[level][0]}'/%3E%3Cpath fill='none' stroke='%23fff' stroke-width='5' d='${SIGN[level][1]}'/%3E%3C/svg%3E`;
    if (at('icon').getAttribute('href') !== picture) at('icon').setAttribute('href', picture);
    // Said aloud when it is another fault, not when its figures change.
    const kind = level + text.replace(/[\d.,]+/g, '');
    if (headline && headline !== kind) at('said').textContent = `${word}. ${level === 'ok' ? '' : text}`;
    headline = kind;
  }

  // --- the overview ---

  function curve(name, unit) {
    const values = past.map((p) => p[name]);
    if (values.length < 2) return s('svg', { class: 'curve', 'aria-hidden': 'true', viewBox: '0 0 120 26' });
    const top = Math.max(...values, 1e-9);
    const most = Math.max(30, values.length); // a minute fills it
    const points = values.map((v, i) => `${(120 * (i + most - values.length) / (most - 1)).toFixed(1)},${(24 - 22 * v / top).toFixed(1)}`);
    return s('svg', { class: 'curve', role: 'img', 'aria-label': `in the last ${span(values.length * 2)} from ${unit(Math.min(...values))} to ${unit(Math.max(...values))}`, viewBox: '0 0 120 26', preserveAspectRatio: 'none' },
      s('polyline', { points: points.join(' ') }));
  }
  function figures() {
    const f = flows(now), parked = now.parked.reduce((n, p) => n + p.count, 0), oldest = Math.max(0, ...now.parked.map((p) => p.oldest_seconds));
    const bad = now.quarantine.reduce((n, q) => n + q.count, 0);
    const one = (key, name, value, ...notes) => h('div', { class: 'card figure', 'data-figure': key, 'data-key': key }, h('dt', null, name), h('dd', { class: 'value' }, value), notes.map((n) => h('dd', { class: 'note' }, n)));
    return h('dl', { class: 'figures', 'data-key': 'figures' },
      one('behind', 'Behind', span(f.behind), curve('behind', span)),
      one('read', 'Read', [rate(f.read), h('small', null, ' /s')], curve('read', (n) => rate(n) + ' per second')),
      one('written', 'Written', [rate(f.written), h('small', null, ' /s')], curve('written', (n) => rate(n) + ' per second')),
      one('latency', 'Latency, 99 %', brief(now.latency.p99), `half within ${brief(now.latency.p50)}`),
      one('parked', 'Parked', count(parked), parked ? `the oldest for ${span(oldest)}` : 'nothing waits'),
      one('quarantine', 'To quarantine', count(bad), 'since the instances started'),
      one('accounts', 'Accounts', ...!now.accounts.known ? [mark('soft', 'not known', 'waits'), 'an instance has not added up yet'] : !now.accounts.balance ? [mark('ok', 'even'), 'every record has its outcome']
        : accountsOff(now) ? [mark('bad', `off by ${count(now.accounts.balance)}`), 'and nothing is on its way'] : [[count(now.accounts.balance), h('small', null, ' open')], 'records on their way']));
  }

  // layout gives each node a column and a row. A chain of topics keeps its row, a group is as high as what it reads,
  // and what it writes is spread along it. Quarantine lies below.
  function layout(nodes, edges) {
    const known = new Map(nodes.map((n) => [n.id, { ...n, reads: [], feeds: [], layer: 0, seen: false }]));
    const side = [], ahead = [];
    for (const e of edges) {
      const from = known.get(e.from), to = known.get(e.to);
      if (!from || !to || from === to) continue;
      (to.kind === 'quarantine' ? side : ahead).push(e);
    }
    // What leads back is of groups that answer each other: from the one that writes slim topics to one that does not.
    const writes = (id) => edges.some((e) => e.from === id && kindOf(e.to) === 'slim');
    const back = ahead.filter((e) => kindOf(e.from) === 'group' && kindOf(e.to) === 'group' && writes(e.from) && !writes(e.to));
    const forward = [];
    const walk = (node, path) => {
      node.seen = true;
      for (const e of ahead.filter((e) => e.from === node.id && !back.includes(e))) {
        const to = known.get(e.to);
        if (path.has(to)) { // another way back
          back.push(e);
          continue;
        }
        forward.push(e);
        node.feeds.push(to);
        to.reads.push(node);
        if (!to.seen) walk(to, new Set([...path, to]));
      }
    };
    const placed = [...known.values()].filter((n) => n.kind !== 'quarantine');
    for (const n of placed) if (n.kind === 'legacy' && !n.seen) walk(n, new Set([n]));
    for (const n of placed) if (!n.seen) walk(n, new Set([n]));
    for (let moved = true, rounds = 0; moved && rounds <= placed.length; rounds++) {
      moved = false;
      for (const n of placed) {
        const layer = Math.max(-1, ...n.reads.map((r) => r.layer)) + 1;
        if (layer !== n.layer) { n.layer = layer; moved = true; }
      }
    }
    const last = Math.max(0, ...placed.map((n) => n.layer));
    for (const n of placed) if (n.kind === 'slim') n.layer = last;

    const plain = (n) => n.kind === 'intake' || n.kind === 'internal';
    const ends = (n) => Math.max(n.layer, ...n.feeds.map((f) => f.layer)); // how far it leads at once
    const place = (node, row) => {
      const branch = node.feeds.filter((f) => plain(f) && f.top === undefined && f.reads.length === 1).sort((a, b) => ends(a) - ends(b));
      node.top = node.low = row; // taken, while its branch is placed
      let rows = 0;
      for (const b of branch) rows += place(b, row + rows);
      node.top = node.low = branch.length ? branch.at(-1).top : row;
      return Math.max(1, rows);
    };
    // A group that something leads back to has a row more for it, below what it reads.
    const backs = (n) => back.filter((e) => e.to === n.id);
    const reserved = new Set();
    const reserve = (n) => n.feeds.reduce((more, f) => {
      if (plain(f)) return more + reserve(f);
      const want = reserved.has(f) ? 0 : backs(f).length;
      reserved.add(f);
      return more + want;
    }, 0);
    let rows = 0;
    const first = placed.filter((n) => n.layer === 0);
    const feedsBack = (n) => n.feeds.some((f) => plain(f) ? feedsBack(f) : backs(f).length > 0);
    for (const n of [...first.filter(feedsBack), ...first.filter((n) => !feedsBack(n))]) {
      rows += place(n, rows);
      rows += reserve(n);
    }
    for (const n of placed.filter((n) => n.top === undefined).sort((a, b) => a.layer - b.layer)) {
      const reads = n.reads.filter((r) => r.top !== undefined);
      n.top = Math.min(...reads.map((r) => r.top));
      n.low = Math.max(...reads.map((r) => r.low));
      if (!reads.length) n.top = n.low = rows++;
      if (n.kind === 'group') {
        const own = reads.filter((r) => r.kind !== 'group'); // with the row below them
        if (backs(n).length) n.low = Math.max(...(own.length ? own : [n]).map((r) => r.low)) + backs(n).length;
        continue;
      }
      const writer = reads[0], beside = writer ? placed.filter((p) => p.kind === n.kind && p.layer === n.layer && p.reads[0] === writer) : [n];
      if (writer) n.top = n.low = writer.top + (beside.indexOf(n) + 0.5) * (writer.low - writer.top + 1) / beside.length - 0.5;
    }
    return { known, placed, forward, back, side, rows, last };
  }

  const ROW = 58, BOX = 34, GAP = 104, WIDTH = 1180, HEAD = 30;
  const COLUMNS = { legacy: 'legacy topics', intake: 'intake', internal: 'internal topics', group: 'group', slim: 'slim topics' };
  const bare = (label) => label.startsWith(now.deployment + '-') ? label.slice(now.deployment.length + 1) : label;
  const clip = (text, most) => text.length > most ? text.slice(0, most - 9) + '…' + text.slice(-8) : text;
  const lagText = (e) => e.lag_records || e.lag_seconds >= 0.05 ? `${count(e.lag_records)} · ${span(e.lag_seconds)}` : '';

  function picture(o) {
    const { known, placed, forward, back, side, rows, last } = layout(o.nodes, o.edges);
    const name = (label) => clip(bare(label), 22);
    const chars = 7.1; // px of one, about
    if (!placed.length) return null;
    const column = (l) => placed.filter((n) => n.layer === l);
    const widths = [], lefts = [];
    for (let l = 0; l <= last; l++) widths[l] = Math.max(66, ...column(l).map((n) => name(n.label).length * chars + 26));
    const gap = Math.max(GAP, last ? (WIDTH - widths.reduce((a, b) => a + b, 0)) / last : 0);
    for (let l = 0, x = 2; l <= last; x += widths[l++] + gap) lefts[l] = x;
    const width = lefts[last] + widths[last] + 2;
    const y = (row) => HEAD + BOX / 2 + 8 + row * ROW;
    const bottom = side.length ? y(rows) + 4 : y(rows - 1) + BOX / 2;
    const height = bottom + (side.length ? BOX / 2 + 6 : 14);
    const right = (n) => lefts[n.layer] + widths[n.layer];

    const drawEdge = (e) => {
      const from = known.get(e.from), to = known.get(e.to), state = edgeState(o, e), returns = back.indexOf(e);
      let y1, y2, x1, x2, mid, tip;
      if (returns >= 0) { // along the lowest row of where it leads
        y1 = y2 = y(to.low - returns);
        x1 = lefts[from.layer];
        x2 = right(to) + 5;
        mid = (x1 + x2) / 2;
        tip = `M${x2 + 3} ${y2 - 5}l-8 5 8 5Z`;
      } else {
        y1 = from.low > from.top ? y(Math.min(Math.max(to.low > to.top ? from.top : to.top, from.top), from.low)) : y(from.top);
        y2 = to.low > to.top ? Math.min(Math.max(y1, y(to.top)), y(to.low)) : y(to.top);
        x1 = right(from);
        x2 = lefts[to.layer] - 5;
        mid = x1 + 24 + (gap - 30) / 2;
        tip = `M${x2 - 3} ${y2 - 5}l8 5-8 5Z`;
      }
      const path = y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}C${x1 + 14} ${y1} ${x1 + 10} ${y2} ${x1 + 26} ${y2}H${x2}`;
      const thick = e.records_per_second > 0 ? Math.min(5, 1.5 + Math.log10(1 + e.records_per_second)) : 1.5;
      const sign = { paused: 'paused', stands: 'bad', lags: 'warn' }[state];
      const speed = state === 'paused' ? 'paused' : `${rate(e.records_per_second)}/s`;
      const topic = [from.label, to.label].includes(e.topic) ? '' : name(e.topic) + ' ';
      return s('g', { class: `edge ${state}`, 'data-key': `${e.from}>${e.to}>${e.topic}`, 'data-edge': `${e.from}>${e.to}` },
        s('title', null, `${e.topic}: ${from.label} to ${to.label}: ${rate(e.records_per_second)} records/s, ${count(e.lag_records)} records and ${span(e.lag_seconds)} behind: ${EDGES[state][1]}`),
        s('path', { class: 'way', d: path, 'stroke-width': thick.toFixed(1) }),
        s('path', { class: 'tip', d: tip }),
        s('text', { class: 'speed', x: mid, y: y2 - 8 }, topic && s('tspan', { class: 'topic' }, topic), speed),
        s('text', { class: 'lag', x: mid, y: y2 + 18 }, lagText(e)),
        sign && s('g', { class: 'sign', transform: `translate(${(mid - (topic + speed).length * chars / 2 - 22).toFixed(1)} ${y2 - 20.5})` }, ICONS[sign].map((d) => s('path', { d }))));
    };
    const groupOf = (label) => o.instances.flatMap((i) => i.groups).filter((g) => g.group === label || g.group.endsWith('-' + label)).flatMap((g) => g.partitions);
    const drawNode = (n) => {
      const top = y(n.top) - BOX / 2, tall = y(n.low) - y(n.top) + BOX, w = widths[n.layer], x = lefts[n.layer];
      const paused = n.kind === 'legacy' && o.paused.some((p) => p.topic === n.label);
      const part = n.kind === 'group' ? restored(groupOf(n.label)) : { open: 0 };
      return s('g', { class: `node ${of(COLUMNS, n.kind) ? n.kind : 'other'}${paused ? ' paused' : ''}${part.open ? ' restoring' : ''}`, 'data-key': n.id, 'data-node': n.id },
        s('title', null, `${n.label}${paused ? ', paused' : ''}${part.open ? `, restores: ${percent(part.share, 0)}` : ''}`),
        s('rect', { x, y: top, width: w, height: tall, rx: n.kind === 'group' ? 6 : BOX / 2 }),
        part.open > 0 && s('rect', { class: 'got', x: x + 1.5, y: top + tall - 1.5 - (tall - 3) * part.share, width: w - 3, height: (tall - 3) * part.share, rx: 4 }),
        s('text', { x: x + w / 2, y: top + tall / 2 + (part.open ? -3 : 4) }, name(n.label)),
        part.open > 0 && s('text', { class: 'share', x: x + w / 2, y: top + tall / 2 + 14 }, percent(part.share, 0)));
    };
    // One line for all intakes, one for each other writer, so that they do not hide what flows.
    const drawSide = () => {
      const q = [...known.values()].find((n) => n.kind === 'quarantine'), w = name(q.label).length * chars + 40;
      const x = Math.max(lefts[0], (lefts[Math.min(2, last)] + width / 2) / 2), parts = [];
      const intakes = side.filter((e) => known.get(e.from).layer <= 1), others = side.filter((e) => known.get(e.from).layer > 1);
      const sum = (edges) => edges.reduce((n, e) => n + e.records_per_second, 0);
      const speed = (edges, tx) => s('text', { class: 'speed', x: tx, y: bottom - 7 }, `${rate(sum(edges))}/s`);
      if (intakes.length) {
        const bus = Math.max(...intakes.map((e) => right(known.get(e.from)))) + 9;
        parts.push(s('g', { class: `edge side ${sum(intakes) ? 'flows' : 'idle'}`, 'data-key': 'intakes' }, s('title', null, `to quarantine by intake: ${rate(sum(intakes))} records/s`),
          intakes.map((e) => s('path', { class: 'way', d: `M${right(known.get(e.from))} ${y(known.get(e.from).low) + 10}H${bus}` })),
          s('path', { class: 'way', d: `M${bus} ${Math.min(...intakes.map((e) => y(known.get(e.from).low))) + 10}V${bottom}H${x - 5}` }), s('path', { class: 'tip', d: `M${x - 8} ${bottom - 5}l8 5-8 5Z` }), speed(intakes, (bus + x) / 2)));
      }
      others.forEach((e) => {
        const from = known.get(e.from), gx = lefts[from.layer] + widths[from.layer] / 2;
        parts.push(s('g', { class: `edge side ${e.records_per_second ? 'flows' : 'idle'}`, 'data-key': 'side ' + e.from }, s('title', null, `to quarantine by ${from.label}: ${rate(e.records_per_second)} records/s`),
          s('path', { class: 'way', d: `M${gx} ${y(from.low) + BOX / 2}V${bottom}H${x + w + 5}` }), s('path', { class: 'tip', d: `M${x + w + 8} ${bottom - 5}l-8 5 8 5Z` }), speed([e], (gx + x + w) / 2)));
      });
      parts.push(s('g', { class: 'node quarantine', 'data-key': q.id, 'data-node': q.id }, s('rect', { x, y: bottom - BOX / 2, width: w, height: BOX, rx: BOX / 2 }), s('text', { x: x + w / 2, y: bottom + 4 }, name(q.label))));
      return parts;
    };
    const heads = lefts.map((x, l) => s('text', { class: 'head', x: x + widths[l] / 2, y: 16 }, of(COLUMNS, column(l)[0]?.kind) ?? ''));
    return s('svg', { class: 'topology', viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`, 'aria-hidden': 'true', 'data-key': 'picture' },
      heads, side.length > 0 && drawSide(), forward.map(drawEdge), back.map(drawEdge), placed.map(drawNode));
  }

  let asTable = false;
  function topology() {
    const label = new Map(now.nodes.map((n) => [n.id, n]));
    const name = (id) => bare(label.get(id)?.label ?? id);
    const drawn = picture(now);
    return h('section', { class: `card flow${asTable ? ' as-table' : ''}`, 'data-key': 'flow', 'aria-labelledby': 'flow-title' },
      h('header', { class: 'bar' }, h('h2', { id: 'flow-title' }, 'What flows where'),
        h('p', { class: 'legend' }, 'records per second, then how many records and how long their reader is behind'),
        drawn && h('button', { type: 'button', class: 'as', 'data-do': 'as-table', 'aria-pressed': String(asTable) }, 'As a table')),
      drawn ?? h('p', { class: 'empty' }, 'Nothing is known of the topology yet.'),
      h('div', { class: 'ways' }, h('table', { class: 'plain' }, h('caption', { class: 'unseen' }, 'Every topic on its way, with rate and lag'),
        h('thead', null, h('tr', null, ['Topic', 'From', 'To'].map((t) => h('th', { scope: 'col' }, t)), ['Records/s', 'Behind, records', 'Behind'].map((t) => h('th', { scope: 'col', class: 'n' }, t)), h('th', { scope: 'col' }, 'State'))),
        h('tbody', null, now.edges.map((e) => {
          const [level, text, sign] = EDGES[edgeState(now, e)];
          return h('tr', { 'data-key': `${e.from}>${e.to}>${e.topic}`, class: level }, h('th', { scope: 'row' }, e.topic), h('td', { 'data-label': 'from' }, name(e.from)), h('td', { 'data-label': 'to' }, name(e.to)),
            h('td', { class: 'n', 'data-label': 'records/s' }, rate(e.records_per_second)), h('td', { class: 'n', 'data-label': 'records behind' }, count(e.lag_records)), h('td', { class: 'n', 'data-label': 'behind' }, span(e.lag_seconds)),
            h('td', { class: 'st' }, mark(level, text, sign)));
        })))));
  }

  const panel = (key, title, href, more, ...children) => h('section', { class: 'card panel', 'data-key': key, 'aria-labelledby': `panel-${key}` },
    h('header', { class: 'bar' }, h('h2', { id: `panel-${key}` }, title), href && h('a', { href }, more)), ...children);
  const parkedRows = () => now.parked.length ? h('table', { class: 'plain reasons' }, h('caption', { class: 'unseen' }, 'Parked records by what they wait for'),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Waits for'), h('th', { scope: 'col', class: 'n' }, 'Records'), h('th', { scope: 'col', class: 'n' }, 'Oldest'))),
    h('tbody', null, now.parked.map((p) => h('tr', { 'data-key': p.reason }, h('th', { scope: 'row' }, h('a', { href: link('parked', { reason: p.reason }) }, p.reason), of(WAITS, p.reason) && h('span', { class: 'soft' }, of(WAITS, p.reason))),
      h('td', { class: 'n' }, count(p.count)), h('td', { class: 'n' }, p.oldest_seconds >= OLD && p.reason !== 'repeat' ? mark('warn', span(p.oldest_seconds)) : span(p.oldest_seconds)))))) : h('p', { class: 'none' }, mark('ok', 'Nothing waits.'));
  const TOP = 6; // reasons that the overview has room for
  function badRows() {
    if (!now.quarantine.length) return h('p', { class: 'none' }, mark('ok', 'Nothing went there since the instances started.'));
    const most = [...now.quarantine].sort((a, b) => b.count - a.count), rest = most.slice(TOP);
    return [h('table', { class: 'plain reasons' }, h('caption', { class: 'unseen' }, 'Records in quarantine by topic and reason'),
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Reason'), h('th', { scope: 'col' }, 'Topic'), h('th', { scope: 'col', class: 'n' }, 'Records'))),
      h('tbody', null, most.slice(0, TOP).map((q) => h('tr', { 'data-key': `${q.topic} ${q.reason}` }, h('th', { scope: 'row' }, h('a', { href: link('quarantine', { reason: q.reason, topic: q.topic }) }, q.reason)), h('td', null, q.topic), h('td', { class: 'n' }, count(q.count)))))),
    rest.length > 0 && h('p', { class: 'soft', 'data-key': 'rest' }, `and ${many(rest.reduce((n, q) => n + q.count, 0), 'record')} for ${many(rest.length, 'other reason')}`)];
  }
  const needs = (what, right = 'act') => h('p', { class: 'needs' }, icon('lock'), `${what} takes a token with the right `, h('b', null, right), '.');

  function pausedPanel() {
    if (!now.paused.length) return null;
    return h('section', { class: 'card panel bad', 'data-key': 'paused', 'aria-labelledby': 'panel-paused' }, h('header', { class: 'bar' }, h('h2', { id: 'panel-paused' }, 'Paused topics')),
      h('ul', { class: 'paused' }, now.paused.map((p) => h('li', { 'data-key': p.topic, 'data-topic': p.topic }, h('p', null, mark('bad', p.topic, 'paused'), h('span', { class: 'soft' }, ` for ${span(since(p.since))}, since `, time(p.since))), h('p', null, p.why),
        h('p', { class: 'does' }, h('a', { href: link('quarantine', { topic: p.topic }) }, 'Its records in quarantine'),
          may('act') && h('button', { type: 'button', 'data-do': 'resume', 'data-topic': p.topic }, `Resume ${p.topic}`))))),
      !may('act') && needs('Resuming'));
  }
  function verdictPanel() {
    const c = now.compare;
    if (!c) return [h('p', { class: 'none' }, 'No comparison runs. ', h('code', null, 'vibe-bridge compare run'), ' holds the slim topics against the legacy ones.')];
    return [h('p', { class: 'verdict-line' }, mark(c.go ? 'ok' : 'bad', c.go ? 'GO' : 'NO-GO'), h('span', { class: 'soft' }, ` ${span(since(c.time))} ago`)),
      h('p', null, `${percent(c.coverage)} covered, ${percent(c.unexplained_rate)} unexplained, ${many(c.violations, 'violation')}`),
      c.reasons.length > 0 && h('ul', { class: 'why' }, c.reasons.map((r) => h('li', null, r)))];
  }
  function instanceRows() {
    return h('table', { class: 'plain' }, h('caption', { class: 'unseen' }, 'Instances'),
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Instance'), h('th', { scope: 'col', class: 'n' }, 'Partitions'), h('th', { scope: 'col' }, 'State'))),
      h('tbody', null, now.instances.map((i) => h('tr', { 'data-key': i.id }, h('th', { scope: 'row' }, nameOf(i), i.self && [' ', h('span', { class: 'tag' }, 'this one')]), h('td', { class: 'n' }, count(everyPartition(i).length)), h('td', null, instanceState(i))))));
  }
  function instanceState(i) {
    const { share, open } = restored(everyPartition(i));
    if (!i.reachable) return mark('bad', 'does not answer');
    if (open) return mark('warn', `restores, ${percent(share, 0)}`, 'waits');
    return i.ready ? mark('ok', 'ready') : mark('warn', 'not ready');
  }

  const views = {};
  views.overview = {
    title: 'Overview', unseen: true,
    make: () => [pausedPanel(), figures(), topology(), h('div', { class: 'panels', 'data-key': 'panels' },
      panel('parked', 'Parked', link('parked'), 'All that waits', parkedRows()), panel('quarantine', 'Quarantine', link('quarantine'), 'All that is there', badRows()),
      panel('instances', 'Instances', link('instances'), 'Their partitions', instanceRows()), panel('compare', 'Comparison', link('compare'), 'Checks and report', ...verdictPanel())),
      may('act') && h('p', { class: 'does end', 'data-key': 'again' }, h('button', { type: 'button', 'data-do': 'resync-since', 'aria-haspopup': 'dialog' }, 'Emit again since a time'))],
  };
  views.paused = { title: 'Paused topics', make: () => [pausedPanel() ?? h('p', { class: 'empty', 'data-key': 'none' }, mark('ok', 'No topic is paused.'))] };

  // --- lists ---

  const field = (id, label, input) => h('p', { 'data-key': id }, h('label', { for: id }, label), input);
  const choice = (id, name, options, chosen) => h('select', { id, name }, options.map(([value, label]) => h('option', { value, selected: value === (chosen ?? '') }, label)));
  const text = (id, name, value) => h('input', { id, name, type: 'text', value: value ?? '', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', maxlength: '512' });
  const filter = (view, ...fields) => h('form', { class: 'filter card', 'data-key': 'filter', 'data-filter': view, 'aria-label': 'What to show' }, fields, h('p', { class: 'go-on', 'data-key': 'go' }, h('button', { type: 'submit' }, 'Show'), h('a', { href: link(view) }, 'All')));
  const reasonsOf = (words, chosen) => [['', 'any'], ...[...new Set([...words, ...(chosen ? [chosen] : [])])].sort().map((w) => [w, w])];

  views.parked = {
    title: 'Parked', again: true,
    path: ({ query: q }) => queried('api/v1/parked', { reason: q.reason, event: q.event, older_than: q.older_than, limit: q.limit || '100' }),
    make: ({ query: q }, d) => [
      h('p', { class: 'lead', 'data-key': 'lead' }, 'What has to wait until something else is there. It goes out by itself then; nothing here is lost.'),
      h('ul', { class: 'chips', 'data-key': 'chips' }, now.parked.map((p) => h('li', { 'data-key': p.reason }, h('a', { href: link('parked', { reason: p.reason }), 'aria-current': q.reason === p.reason && 'true' }, h('b', null, p.reason), ` ${count(p.count)}`, h('span', { class: 'soft' }, `oldest ${span(p.oldest_seconds)}`))))),
      filter('parked', field('parked-reason', 'Waits for', choice('parked-reason', 'reason', reasonsOf(now.parked.map((p) => p.reason), q.reason), q.reason)), field('parked-event', 'Event', text('parked-event', 'event', q.event)),
        field('parked-older', 'Older than', choice('parked-older', 'older_than', [['', 'any age'], ['1m', '1 minute'], ['10m', '10 minutes'], ['1h', '1 hour'], ['24h', '1 day']], q.older_than))),
      of(WAITS, q.reason) && h('p', { class: 'soft', 'data-key': 'means' }, h('b', null, q.reason), ': ', of(WAITS, q.reason), '.'),
      loaded(d, (list) => [list.missing.length > 0 && h('div', { class: 'error part', 'data-key': 'missing' }, h('p', null, mark('warn', 'Not all is in this list.')), h('ul', { class: 'why' }, list.missing.map((m) => h('li', null, m)))), list.records.length ? [
        h('p', { class: 'shown', 'data-key': 'shown' }, `${count(list.records.length)} of ${many(list.total, 'record')}, the oldest first`, list.truncated && (q.limit !== '1000') && [' ', h('a', { href: link('parked', { ...q, limit: '1000' }) }, 'Show more')]),
        h('div', { class: 'card rows', 'data-key': 'rows' }, h('table', { class: 'plain list' }, h('caption', { class: 'unseen' }, 'Parked records'),
          h('thead', null, h('tr', null, ['What', 'Waits for', 'Event', 'Age', 'Legacy record'].map((t) => h('th', { scope: 'col' }, t)))),
          h('tbody', null, list.records.map((r) => h('tr', { 'data-key': `${r.kind} ${r.id} ${r.event} ${r.order}` },
            h('th', { scope: 'row' }, h('span', { class: 'kind' }, r.kind), ' ', entity(r.kind, r.id, { event: r.event, order: r.order })), h('td', { 'data-label': 'waits for' }, h('span', { class: 'tag' }, r.reason), ' ', h('span', { class: 'soft' }, r.waits_for)),
            h('td', { 'data-label': 'event' }, entity('event', r.event)), h('td', { 'data-label': 'age' }, h('span', { title: stamp(r.since) }, span(r.seconds))), h('td', { 'data-label': 'legacy record' }, h('code', null, r.cause)))))))]
        : h('p', { class: 'empty', 'data-key': 'none' }, q.reason || q.event || q.older_than || list.missing.length ? 'Nothing that waits is like this.' : mark('ok', 'Nothing waits.'))]),
    ],
  };

  const chosen = new Set(); // positions in quarantine
  const DAYS = [['', 'any time'], ['1', 'the last hour'], ['24', 'the last 24 hours'], ['168', 'the last 7 days']];
  views.quarantine = {
    title: 'Quarantine', again: true,
    path: ({ query: q, parts }) => parts.length ? `api/v1/quarantine/${parts.map(enc).join('/')}` : queried('api/v1/quarantine', {
      reason: q.reason, topic: q.topic, id: q.id, replayed: q.replayed, limit: q.limit || '100',
      since: q.within && new Date(Math.floor(serverNow() / 1000) * 1000 - Number(q.within) * 3600000).toISOString(),
    }),
    make: (route, d) => route.parts.length ? badRecord(route, d) : badList(route, d),
  };
  function badList({ query: q }, d) {
    const reasons = Object.entries(d.data?.reasons ?? {}).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    const picked = (d.data?.records ?? []).filter((r) => chosen.has(r.position));
    const topics = [...new Set([...now.nodes.filter((n) => n.kind === 'legacy').map((n) => n.label), ...now.quarantine.map((b) => b.topic)])];
    const all = d.data && Object.values(d.data.reasons).reduce((n, m) => n + m, 0);
    return [
      h('p', { class: 'lead', 'data-key': 'lead' }, 'Records that cannot be read or mapped, untouched, with their reason. A replay hands them to the running bridge by the rules of today.'),
      h('ul', { class: 'chips', 'data-key': 'chips' }, reasons.map(([reason, n]) => h('li', { 'data-key': reason }, h('a', { href: link('quarantine', { ...q, reason, limit: '' }), 'aria-current': q.reason === reason && 'true' }, h('b', null, reason), ` ${count(n)}`)))),
      filter('quarantine', field('bad-reason', 'Reason', choice('bad-reason', 'reason', reasonsOf([...reasons.map(([r]) => r), ...now.quarantine.map((b) => b.reason)], q.reason), q.reason)), field('bad-topic', 'Topic', choice('bad-topic', 'topic', reasonsOf(topics, q.topic), q.topic)),
        field('bad-id', 'Id', text('bad-id', 'id', q.id)), field('bad-within', 'Since', choice('bad-within', 'within', DAYS, q.within)), field('bad-replayed', 'Replayed', choice('bad-replayed', 'replayed', [['', 'leave out'], ['true', 'show too']], q.replayed))),
      loaded(d, (list) => list.records.length ? [
        h('div', { class: 'acts', 'data-key': 'acts' }, h('p', { class: 'shown' }, `${count(list.records.length)} of ${many(all, 'record')}, the newest first`, list.truncated && q.limit !== '1000' && [' ', h('a', { href: link('quarantine', { ...q, limit: '1000' }) }, 'Show more')]),
          may('act') ? [
            h('button', { type: 'button', 'data-key': 'some', 'data-do': 'replay-chosen', disabled: !picked.length }, picked.length ? `Replay ${count(picked.length)} chosen` : 'Replay chosen'),
            q.reason && !q.id && !q.within && h('button', { type: 'button', 'data-key': 'all', 'data-do': 'replay-all', 'data-reason': q.reason, 'data-topic': q.topic ?? '' }, `Replay all of ${q.reason}${q.topic ? ` in ${q.topic}` : ''}`)] : needs('Replaying')),
        h('div', { class: 'card rows', 'data-key': 'rows' }, h('table', { class: 'plain list' }, h('caption', { class: 'unseen' }, 'Records in quarantine'),
          h('thead', null, h('tr', null, may('act') && h('th', { scope: 'col', class: 'pick' }, h('span', { class: 'unseen' }, 'Choose')), ['Record', 'Reason', 'Id', 'Came', 'Legacy record'].map((t) => h('th', { scope: 'col' }, t)))),
          h('tbody', null, list.records.map((r) => h('tr', { 'data-key': r.position }, may('act') && h('td', { class: 'pick' }, h('input', { type: 'checkbox', 'data-do': 'pick', value: r.position, 'aria-label': `Choose ${r.position}` })),
            h('th', { scope: 'row' }, h('a', { class: 'id', href: link('quarantine', ...r.position.split('/')) }, r.position)), h('td', { 'data-label': 'reason' }, h('span', { class: 'tag' }, r.reason), ' ', h('span', { class: 'soft' }, r.message), r.replayed && [' ', mark('ok', 'replayed')]),
            h('td', { 'data-label': 'id' }, h('code', null, r.id || '–')), h('td', { 'data-label': 'came' }, time(r.time)), h('td', { 'data-label': 'legacy record' }, h('code', null, r.source)))))))]
        : h('p', { class: 'empty', 'data-key': 'none' }, q.reason || q.topic || q.id || q.within ? 'Nothing in quarantine is like this.' : mark('ok', 'Quarantine is empty.'))),
    ];
  }

  const fields = (list, caption) => list.length ? h('table', { class: 'plain pairs' }, h('caption', { class: 'unseen' }, caption), h('thead', { class: 'unseen' }, h('tr', null, h('th', { scope: 'col' }, 'Field'), h('th', { scope: 'col' }, 'Value'))),
    h('tbody', null, list.map((f, i) => h('tr', { 'data-key': `${i} ${f.name}`, class: f.masked && 'masked' }, h('th', { scope: 'row' }, f.name), h('td', null, h('code', { class: 'val' }, f.value), f.personal && [' ', h('span', { class: 'label' }, icon('lock'), f.masked ? 'masked' : 'personal')]))))) : h('p', { class: 'none' }, 'None.');
  const maskNote = (list) => list.some((f) => f.masked) && h('p', { class: 'needs', 'data-key': 'masked' }, icon('lock'), 'Personal texts are shown by their shape: 9 is a digit, a and A are letters. To see them takes a token with the right ', h('b', null, 'personal'), '.');

  function badRecord({ parts }, d) {
    return [h('p', { class: 'back', 'data-key': 'back' }, h('a', { href: link('quarantine') }, 'All of quarantine')),
      loaded(d, (r) => [
        h('section', { class: 'card', 'data-key': 'what' }, h('h2', null, mark('bad', r.reason, 'quarantined')), h('p', { class: 'message' }, r.message),
          parts.join('/') !== r.position && h('p', { class: 'soft', 'data-key': 'newer' }, `${parts.join('/')} says the same as `, h('a', { href: link('quarantine', ...r.position.split('/')) }, r.position), ', which was written later and stands for it.'),
          h('dl', { class: 'facts' }, [['legacy record', h('code', null, r.source)], ['topic', r.topic], ['found out by', r.stage], ['id', h('code', null, r.id || '–')], ['came', time(r.time)], ['replayed', r.replayed ? time(r.replayed) : 'no']].map(([k, v]) => h('div', null, h('dt', null, k), h('dd', null, v)))),
          may('act') ? h('p', { class: 'does' }, h('button', { type: 'button', 'data-do': 'replay-one', 'data-position': r.position }, 'Replay this record')) : needs('Replaying')),
        h('section', { class: 'card', 'data-key': 'fields' }, h('h2', null, 'Fields'), maskNote(r.fields), fields(r.fields, 'Fields of the record')),
        h('section', { class: 'card', 'data-key': 'headers' }, h('h2', null, 'Headers'), maskNote(r.headers), fields(r.headers, 'Headers of the record'))])];
  }

  // --- one event, order or refund ---

  const WHATS = { seen: 'seen', decided: 'decided', emitted: 'emitted', waits: 'waits', quarantined: 'to quarantine', skipped: 'skipped' };
  const LEVELS = { emitted: 'ok', waits: 'warn', quarantined: 'bad' };
  function story({ name, query }, d) {
    return loaded(d, (e) => {
      const chain = [...e.parents].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)), event = name === 'event' ? e.id : chain.find((p) => p.kind === 'event')?.id ?? query.event ?? '';
      const order = name === 'order' ? e.id : name === 'refund' ? chain.find((p) => p.kind === 'order')?.id ?? query.order ?? '' : '';
      const to = (p) => entity(p.kind, p.id, p.kind === 'order' ? { event } : p.kind === 'refund' ? { event, order } : {});
      const again = name === 'event' ? ['event', e.id] : order ? ['order', order] : null;
      return [
        chain.length > 0 && h('nav', { class: 'chain', 'aria-label': 'Belongs to', 'data-key': 'chain' }, chain.map((p, i) => h('span', null, i > 0 && ' › ', h('span', { class: 'kind' }, i ? p.kind : `of ${p.kind}`), ' ', to(p)))),
        h('div', { class: 'two', 'data-key': 'two' },
          h('section', { class: 'card', 'data-key': 'story' }, h('h2', null, 'What happened'), e.story.length ? h('ol', { class: 'story' }, e.story.map((p) => h('li', { 'data-what': p.what }, mark(of(LEVELS, p.what) ?? 'soft', of(WHATS, p.what) ?? p.what, p.what),
            h('div', null, h('p', null, p.text), (p.time || p.place) && h('p', { class: 'soft place' }, p.time && time(p.time), p.place && h('code', null, p.place)))))) : h('p', { class: 'none' }, 'Nothing is recorded.'),
            again && (may('act') ? h('p', { class: 'does' }, h('button', { type: 'button', 'data-do': 'resync', 'data-kind': again[0], 'data-id': again[1] }, `Emit ${again[0] === name ? 'it' : 'its order'} again`)) : needs('Having it emitted again'))),
          h('section', { class: 'card', 'data-key': 'children' }, h('h2', null, 'What depends on it', e.children.length > 0 && [' ', h('span', { class: 'count' }, e.children.length < MOST ? count(e.children.length) : `the first ${count(e.children.length)}`)]), e.children.length ? h('ul', { class: 'children' }, e.children.map((c) => h('li', { 'data-key': `${c.kind} ${c.id}` }, h('span', { class: 'kind' }, c.kind), ' ', to(c), c.state && [' ', h('span', { class: 'tag' }, c.state)]))) : h('p', { class: 'none' }, 'Nothing.'),
            h('dl', { class: 'facts' }, [['row', h('code', null, e.key)], ['partition', e.partition], ['instance', e.instance]].map(([k, v]) => h('div', null, h('dt', null, k), h('dd', null, v)))))),
        h('section', { class: 'card', 'data-key': 'fields' }, h('h2', null, 'Fields'), maskNote(e.fields), fields(e.fields, 'Fields'))];
    });
  }
  for (const kind of KINDS) {
    views[kind] = {
      title: kind[0].toUpperCase() + kind.slice(1), again: true,
      path: ({ parts, query: q }) => queried(`api/v1/${kind}s/${enc(parts[0] ?? '')}`, kind === 'event' ? {} : kind === 'order' ? { event: q.event } : { event: q.event, order: q.order }).replace(/\?$/, ''),
      make: story,
    };
  }
  views.any = {
    title: 'Look up',
    load: async ({ parts }, signal) => {
      const asked = await Promise.allSettled(KINDS.map((kind) => get(`api/v1/${kind}s/${enc(parts[0] ?? '')}`, signal)));
      const found = asked.map((a, i) => [KINDS[i], a]).filter(([, a]) => a.status === 'fulfilled' && a.value.found).map(([kind]) => kind);
      const failed = asked.filter((a) => a.status === 'rejected').map((a) => a.reason).filter((e) => e.status !== 404);
      const bad = asked.find((a) => a.status === 'rejected' && a.reason.quarantine);
      if (!found.length && bad) throw bad.reason;
      if (!found.length && failed.length) throw failed[0];
      if (!found.length) throw new Failure(404, `No event, order or refund with the id ${parts[0] ?? ''} is known here.`);
      if (found.length === 1) location.replace(link(found[0], parts[0]));
      return found;
    },
    make: ({ parts }, d) => [loaded(d, (found) => h('ul', { class: 'children card', 'data-key': 'found' }, found.map((kind) => h('li', null, h('span', { class: 'kind' }, kind), ' ', entity(kind, parts[0])))))],
  };

  // --- comparison and instances ---

  const sum = (counts) => Object.values(counts ?? {}).reduce((n, m) => n + m, 0);
  views.compare = {
    title: 'Comparison',
    load: async (route, signal) => now.compare ? get('api/v1/compare', signal) : null,
    make: (route, d) => {
      const c = now.compare;
      if (!c) return [h('p', { class: 'empty', 'data-key': 'none' }, ...verdictPanel()[0].childNodes)];
      return [
        h('section', { class: `card verdict ${c.go ? 'ok' : 'bad'}`, 'data-key': 'verdict' }, h('p', { class: 'soft' }, 'Is it safe to cut over?'), h('h2', null, mark(c.go ? 'ok' : 'bad', c.go ? 'GO' : 'NO-GO')),
          c.reasons.length > 0 && h('ul', { class: 'why' }, c.reasons.map((r) => h('li', null, r))), h('p', { class: 'soft' }, 'as of ', time(c.time), `, ${span(since(c.time))} ago`),
          // A link carries no token: with one, the page is fetched and opened as it is.
          h('p', { class: 'does' }, kept.get() ? h('button', { type: 'button', 'data-do': 'report' }, 'Open the whole report') : h('a', { href: 'compare/report.html', target: '_blank', rel: 'noopener' }, 'Open the whole report'), h('span', { class: 'soft' }, 'in a new tab'))),
        h('dl', { class: 'figures', 'data-key': 'figures' }, [['Coverage', percent(c.coverage)], ['Unexplained', percent(c.unexplained_rate)], ['Violations', count(c.violations)]].map(([k, v]) => h('div', { class: 'card figure' }, h('dt', null, k), h('dd', { class: 'value' }, v)))),
        loaded(d, (r) => r && [
          r.verdict?.checks?.length > 0 && h('section', { class: 'card', 'data-key': 'checks' }, h('h2', null, 'Checks'), h('table', { class: 'plain list' }, h('caption', { class: 'unseen' }, 'Checks of the verdict'), h('thead', null, h('tr', null, ['Check', 'Outcome', 'Want', 'Got'].map((t) => h('th', { scope: 'col' }, t)))),
            h('tbody', null, r.verdict.checks.map((k) => h('tr', { 'data-key': k.name }, h('th', { scope: 'row' }, h('code', null, k.name), k.why && h('span', { class: 'soft' }, k.why)), h('td', { 'data-label': 'outcome' }, mark(k.ok ? 'ok' : 'bad', k.ok ? 'passed' : 'failed')), h('td', { 'data-label': 'want' }, k.want), h('td', { 'data-label': 'got' }, k.ok ? k.got : h('b', null, k.got))))))),
          r.streams?.length > 0 && h('section', { class: 'card', 'data-key': 'streams' }, h('h2', null, 'Entities'), h('table', { class: 'plain list' }, h('caption', { class: 'unseen' }, 'Entities by stream'), h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Stream'), ['All', 'Equal', 'Different', 'Unexplained', 'Pending', 'Undecidable', 'Skipped', 'Quarantined'].map((t) => h('th', { scope: 'col', class: 'n' }, t)))),
            h('tbody', null, r.streams.map((t) => h('tr', { 'data-key': t.stream }, h('th', { scope: 'row' }, t.stream), [['all', t.entities], ['equal', t.equal], ['different', t.different], ['unexplained', t.unexplained], ['pending', sum(t.pending)], ['undecidable', sum(t.undecidable)], ['skipped', sum(t.skipped)], ['quarantined', sum(t.quarantined)]].map(([k, n]) => h('td', { class: 'n', 'data-label': k }, count(n))))))))])];
    },
  };

  const STATES = { running: ['ok', 'running', 'ok'], recovering: ['warn', 'restoring', 'waits'], connecting: ['warn', 'connecting', 'waits'] };
  views.instances = {
    title: 'Instances',
    make: () => [
      now.unassigned.some((u) => u.partitions.length) && h('section', { class: 'card panel bad', 'data-key': 'unassigned' }, h('h2', null, mark('bad', 'Partitions of no instance')), h('p', { class: 'soft' }, 'What is in them waits until an instance takes them over.'),
        h('ul', null, now.unassigned.filter((u) => u.partitions.length).map((u) => h('li', null, h('b', null, u.group), ' ', ranges(u.partitions))))),
      now.instances.length ? h('div', { class: 'instances', 'data-key': 'instances' }, now.instances.map((i) => h('section', { class: 'card instance', 'data-key': i.id, 'data-instance': i.id },
        h('header', { class: 'bar' }, h('h2', null, /^https?:\/\/[^/]/.test(i.url) && !i.self ? h('a', { href: i.url, target: '_blank', rel: 'noopener' }, nameOf(i)) : nameOf(i), i.self && [' ', h('span', { class: 'tag' }, 'this one')]), instanceState(i)),
        i.reasons.length > 0 && h('ul', { class: 'why' }, i.reasons.map((r) => h('li', null, r))),
        h('dl', { class: 'facts' }, [['version', i.version || 'not known'], ['started', i.started ? [time(i.started), `, ${span(since(i.started))} ago`] : 'not known'], ['member', h('code', null, i.id)]].map(([k, v]) => h('div', null, h('dt', null, k), h('dd', null, v)))),
        i.groups.map((g) => {
          const { share, open } = restored(g.partitions);
          return h('div', { class: 'group', 'data-key': g.group }, h('h3', null, g.group, ' ', h('small', null, many(g.partitions.length, 'partition'))),
            open > 0 && h('p', { class: 'restore' }, h('progress', { max: '100', value: (100 * share).toFixed(1), 'aria-label': `Restored of ${g.group}` }), `${percent(share, 0)} restored`),
            h('ul', { class: 'partitions' }, g.partitions.map((p) => {
              const [level, word, sign] = of(STATES, p.state) ?? ['warn', p.state, 'note'];
              return h('li', { class: level, 'data-key': p.partition }, icon(sign), h('span', { class: 'number' }, p.partition), ' ', p.state === 'running' ? h('span', { class: 'unseen' }, word) : h('span', null, word, p.total > 0 && ` ${count(p.restored)} of ${count(p.total)}`));
            })));
        })))) : h('p', { class: 'empty', 'data-key': 'none' }, 'No instance takes part.'),
    ],
  };

  // --- actions: what will happen is said first, then it is done, then how it went ---

  let deed = null; // {title, plan, run, step, plan result, said, error}
  function begin(d) {
    deed = { step: d.plan ? 'asking' : 'ready', can: true, says: [], ...d };
    drawDialog();
    if (!at('dialog').open) at('dialog').showModal();
    if (!d.plan) return;
    const mine = deed;
    d.plan().then((planned) => Object.assign(mine, { step: 'ready' }, planned), (e) => Object.assign(mine, { step: 'failed', error: e })).then(() => { if (mine === deed) drawDialog(); });
  }
  async function carryOut() {
    const mine = deed;
    if (!mine || mine.step !== 'ready') return;
    mine.step = 'doing';
    drawDialog();
    try {
      Object.assign(mine, { said: await mine.run(), step: 'done' });
      mine.after?.();
    } catch (e) {
      Object.assign(mine, { step: 'failed', error: e });
    }
    if (mine === deed) drawDialog();
    load();
  }
  function explain(e) {
    if (e.status === 401) return `You are not known here: ${e.message}`;
    if (e.status === 403) return `You may not do this: ${e.message}`;
    return e.message;
  }
  function drawDialog() {
    const box = at('dialog'), d = deed;
    if (!d) return;
    const over = d.step === 'done' || d.step === 'failed';
    box.setAttribute('aria-busy', String(d.step === 'asking' || d.step === 'doing'));
    show(box, h('h2', { id: 'dialog-title', tabindex: '-1' }, d.title), d.form ?? [
      h('div', { class: 'will', 'data-key': 'will' }, d.will.map((t) => h('p', null, t))),
      h('div', { class: 'went', role: 'status', 'data-key': 'went', 'data-step': d.step },
        d.step === 'asking' && h('p', null, mark('soft', 'Asking what would happen…', 'waits')),
        d.step === 'doing' && h('p', null, mark('soft', 'Doing it…', 'waits')),
        (d.step === 'ready' || d.step === 'doing') && d.says.map((t) => h('p', null, t)),
        d.step === 'done' && h('p', null, mark('ok', 'Done.'), ' ', d.said),
        d.step === 'failed' && h('p', null, mark('bad', 'Not done.'), ' ', explain(d.error)))],
    h('p', { class: 'does end', 'data-key': 'does' }, h('button', { type: 'button', 'data-do': 'close', 'data-key': 'close' }, over || d.form ? 'Close' : 'Cancel'),
      !over && !d.form && h('button', { type: 'button', class: 'main', 'data-do': 'carry-out', 'data-key': 'carry-out', disabled: d.step !== 'ready' || !d.can }, d.label)));
    if (box.open && !box.contains(document.activeElement)) box.querySelector('[data-do=close]').focus(); // what had it is gone, or off
  }

  const outcomes = (r) => Object.entries(r.outcomes).sort(([, n], [, m]) => m - n).map(([what, n]) => `${count(n)} ${what}`).join(', ') || 'none';
  function replay(order, what) {
    begin({
      title: `Replay ${what}`, label: 'Replay',
      will: ['Each record is mapped by the rules of today. What is good now is handed to the running bridge: it waits for its event or order, goes out, or changes nothing because something newer has. What is still bad stays. A record counts once, however often it is replayed.'],
      plan: async () => {
        const r = await send('api/v1/quarantine/replay', { ...order, dry_run: true });
        const stay = Object.entries(r.outcomes).filter(([o]) => o !== 'sent' && !o.startsWith('skipped')).reduce((n, [, m]) => n + m, 0), go = r.records - stay;
        return { can: go > 0, label: go > 0 ? `Replay ${many(r.records, 'record')}` : 'Replay', says: [`This would replay ${many(r.records, 'record')}: ${outcomes(r)}.`, go > 0 ? stay > 0 ? `${many(stay, 'record')} would stay in quarantine.` : '' : 'Nothing would leave quarantine, so there is nothing to do.'].filter(Boolean) };
      },
      run: async () => { const r = await send('api/v1/quarantine/replay', order); return `${many(r.records, 'record')} replayed: ${outcomes(r)}.`; },
      after: () => chosen.clear(),
    });
  }
  const emittedAgain = ['Who reads the slim topics sees the same values once more. Nothing is invented, and what waits goes on waiting.'];
  function resync(order, d) {
    begin({
      label: 'Emit again', ...d,
      plan: async () => { const r = await send('api/v1/resync', { ...order, dry_run: true }); return { can: r.commands > 0, says: [r.commands > 0 ? `This would send ${many(r.commands, 'command')} to the running bridge, to emit again ${many(r.events, 'event')}, ${many(r.orders, 'order')} and ${many(r.refunds, 'refund')}${r.waiting ? `; ${count(r.waiting)} of them ${r.waiting === 1 ? 'is' : 'are'} held back and ${r.waiting === 1 ? 'goes' : 'go'} out later` : ''}.` : 'There is nothing to emit.'] }; },
      run: async () => { const r = await send('api/v1/resync', order); return `${count(r.sent)} of ${many(r.commands, 'command')} sent. ${d.then}`; },
    });
  }
  const deeds = {
    retry: () => connect(),
    refresh: () => load(),
    'as-table': () => { asTable = !asTable; draw(); },
    pick: (e) => { if (e.checked) chosen.add(e.value); else chosen.delete(e.value); draw(); },
    close: () => at('dialog').close(),
    'carry-out': () => carryOut(),
    access: () => begin({ title: 'Your rights', form: [h('p', null, 'You may ', h('b', null, now.rights.join(', ')), kept.get() ? ', by the token of this tab.' : ', without a token.'), rightsList(), tokenForm('Use this token'), kept.get() && h('p', { class: 'does' }, h('button', { type: 'button', 'data-do': 'forget' }, 'Forget the token'))] }),
    forget: () => { kept.set(''); at('dialog').close(); restart(); },
    resume: ({ dataset: { topic } }) => begin({
      title: `Resume ${topic}`, label: `Resume ${topic}`,
      will: ['All instances read the topic again from where they stopped. Bad records in it go to quarantine. If more than the allowed share of them is bad again, the topic is paused again: put right what is wrong first.'],
      run: async () => { const r = await send(`api/v1/topics/${enc(topic)}/resume`, {}); return r.resumed ? `${topic} is resumed${r.paused_since ? `; it was paused since ${stamp(r.paused_since)}` : ''}.` : `${topic} was not paused.`; },
    }),
    resync: ({ dataset: { kind, id } }) => resync({ [kind]: id }, {
      title: `Emit ${kind} ${id} again`, then: 'What is emitted shows above the fields in a moment.',
      will: [kind === 'event' ? 'The bridge emits what it has of the event, then its orders, then their refunds, in order.' : 'The bridge emits what it has of the order, then its refunds, in order.', ...emittedAgain],
    }),
    'resync-since': () => begin({
      title: 'Emit again since a time',
      form: h('form', { class: 'token', 'data-since': true }, h('p', null, h('label', { for: 'since' }, 'Changed since'), h('input', { id: 'since', type: 'text', autocomplete: 'off', spellcheck: 'false', required: true, maxlength: '64', 'aria-describedby': 'since-note' })),
        h('p', { class: 'soft', id: 'since-note' }, 'How long ago, such as 2h, or a time, such as 2026-05-01T12:00:00Z.'), h('p', { class: 'does' }, h('button', { type: 'submit', class: 'main' }, 'Ask what would happen'))),
    }),
    'replay-one': ({ dataset: { position } }) => replay({ positions: [position] }, `record ${position}`),
    'replay-chosen': () => { const positions = (page.data?.records ?? []).map((r) => r.position).filter((p) => chosen.has(p)); replay({ positions }, many(positions.length, 'record')); },
    'replay-all': ({ dataset: { reason, topic } }) => replay(topic ? { reason, topic } : { reason }, `all of ${reason}${topic ? ` in ${topic}` : ''}`),
    report: async (button) => {
      button.disabled = true;
      try {
        const file = URL.createObjectURL(await (await ask('compare/report.html')).blob());
        h('a', { href: file, target: '_blank', rel: 'noopener' }).click();
        setTimeout(() => URL.revokeObjectURL(file), 60000);
      } catch (e) {
        page.error = e;
        draw();
      }
      button.disabled = false;
    },
  };

  // --- access ---

  const rightsList = () => h('dl', { class: 'facts' }, [['view', 'see everything, personal data by its shape'], ['personal', 'see personal data as it is'], ['act', 'resume, replay, emit again']].map(([k, v]) => h('div', null, h('dt', null, may(k) ? mark('ok', k) : mark('soft', k, 'skipped')), h('dd', null, v))));
  const tokenForm = (label) => h('form', { class: 'token', 'data-token': true }, h('p', null, h('label', { for: 'token' }, 'Token'), h('input', { id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, 'aria-describedby': 'token-note' })), h('p', { class: 'soft', id: 'token-note' }, 'It stays in this tab and is forgotten when the tab is closed.'), h('p', { class: 'does' }, h('button', { type: 'submit', class: 'main' }, label)));
  function signIn() {
    const e = stream.error, given = kept.get() !== '';
    return [h('section', { class: 'card sign-in', 'data-key': 'sign-in' },
      h('p', { class: 'why', role: 'alert' }, mark('warn', e.status === 401 ? given ? 'This token is not known.' : 'A token is wanted.' : 'Nothing is shown to you here.', 'lock'), e.status !== 401 && [' ', e.message]),
      e.status === 403 && h('p', { class: 'soft' }, 'Whoever runs the instance decides who may look at it.'), tokenForm('Look'),
      given && h('p', { class: 'does' }, h('button', { type: 'button', 'data-do': 'forget' }, 'Forget the token')),
      h('p', { class: 'soft' }, 'The tokens stand in the files that ', h('code', null, 'http.view_token_file'), ', ', h('code', null, 'http.personal_token_file'), ' and ', h('code', null, 'http.act_token_file'), ' name.'))];
  }
  function restart() {
    Object.assign(stream, { failures: 0, last: 0 });
    now = null;
    past.length = 0;
    chosen.clear();
    page = { ...page, data: null, error: null, loading: false, wanted: true };
    at('main').replaceChildren();
    connect();
    draw();
  }

  // --- drawing ---

  let page = { route: where(), data: null, error: null, loading: false, wanted: true };
  // loaded shows what a view has asked for, or why it is not there.
  function loaded(d, of) {
    return [
      d.error && h('p', { class: 'error', role: 'alert', 'data-key': 'error' }, mark(d.error.status === 404 ? 'note' : 'bad', d.error.status === 404 ? 'Not found.' : 'Not to be had.'), ' ', explain(d.error), d.error.quarantine && [' ', h('a', { href: link('quarantine', ...d.error.quarantine.split('/')) }, 'Show the record in quarantine')], ' ', h('button', { type: 'button', 'data-do': 'refresh' }, 'Ask again')),
      d.data !== null ? of(d.data) : !d.error && h('p', { class: 'loading', role: 'status', 'data-key': 'loading' }, mark('soft', 'Asking…', 'waits'))];
  }
  async function load() {
    const { route } = page, view = views[route.name];
    clearTimeout(page.timer);
    page.asked?.abort();
    if (!now || !view?.path && !view?.load || document.hidden) return;
    const mine = page, asked = mine.asked = new AbortController();
    mine.loading = true;
    mine.wanted = false;
    try {
      const data = await (view.load ? view.load(route, asked.signal) : get(view.path(route), asked.signal));
      Object.assign(mine, { data, error: null });
    } catch (e) {
      if (left(e) || asked.signal.aborted) return;
      mine.error = e instanceof Failure ? e : new Failure(0, 'The answer cannot be read.');
      if (mine.error.status === 404) mine.data = null;
    }
    mine.loading = false;
    if (mine !== page) return;
    if (view.again) mine.timer = setTimeout(load, AGAIN);
    draw();
  }

  // draw survives an answer that is not as it should be, which shows in the console of the browser.
  function draw() {
    try {
      drawAll();
    } catch (e) {
      console.error(e);
      show(at('main'), h('h1', { tabindex: '-1', 'data-key': 'title' }, 'Not to be shown'), h('p', { class: 'error', role: 'alert', 'data-key': 'error' }, mark('bad', 'This cannot be shown.'), ' The instance has answered in another way than this page knows: reload the page, it may be of another version. ', h('a', { href: '#/' }, 'To the overview')));
    }
  }
  function drawAll() {
    const { route } = page, view = of(views, route.name);
    drawTop(route);
    drawStatus();
    drawState(route);
    const title = stream.state === 'out' ? 'Who are you?' : view?.title ?? 'Nothing here';
    const body = stream.state === 'out' ? signIn()
      : !now ? h('p', { class: 'loading', role: 'status', 'data-key': 'first' }, stream.state === 'lost' ? [mark('bad', 'The instance cannot be reached.'), ' ', stream.error.message] : mark('soft', 'Asking the bridge…', 'waits'))
        : view ? view.make(route, page) : h('p', { class: 'empty', 'data-key': 'none' }, 'There is no such view. ', h('a', { href: '#/' }, 'To the overview'));
    show(at('main'), h('h1', { tabindex: '-1', class: view?.unseen && now ? 'unseen' : null, 'data-key': 'title' }, title, now && view && route.parts.length > 0 && [' ', h('code', null, route.parts.join('/'))]), body);
    at('main').querySelectorAll('input[data-do=pick]').forEach((c) => { c.checked = chosen.has(c.value); });
    if (now && page.wanted) load();
    if (route.name === 'compare' && now?.compare && page.compared !== now.compare.time) {
      if (page.compared) load();
      page.compared = now.compare.time;
    }
  }

  // --- events ---

  document.addEventListener('click', (e) => {
    if (e.target.closest('#skip')) {
      e.preventDefault();
      at('main').focus();
      return;
    }
    const button = e.target.closest('[data-do]');
    if (button && !button.disabled) of(deeds, button.dataset.do)?.(button);
  });
  document.addEventListener('submit', (e) => {
    e.preventDefault();
    const form = e.target;
    if (form.id === 'lookup') {
      const id = at('lookup-id').value.trim();
      if (id) location.hash = link(at('lookup-kind').value, id);
      else at('lookup-id').focus();
    } else if (form.dataset.filter) {
      location.hash = link(form.dataset.filter, Object.fromEntries([...new FormData(form)].map(([k, v]) => [k, v.trim()])));
    } else if ('since' in form.dataset) {
      const since = form.querySelector('input').value.trim();
      resync({ since }, {
        title: `Emit again since ${since}`, then: 'What is emitted shows in the rates in a moment.',
        will: ['The bridge emits every event, order and refund whose newest legacy record is not older, in order.', ...emittedAgain],
      });
    } else if ('token' in form.dataset) {
      kept.set(form.querySelector('input').value.trim());
      if (at('dialog').open) at('dialog').close();
      restart();
    }
  });
  at('dialog').addEventListener('close', () => {
    if (at('dialog').open) return; // the browser tells it a frame later, and the next one is there
    deed = null;
    at('dialog').replaceChildren();
  });
  window.addEventListener('hashchange', () => {
    const had = page;
    clearTimeout(had.timer);
    had.asked?.abort();
    if (at('dialog').open) at('dialog').close();
    page = { route: where(), data: null, error: null, loading: false, wanted: true };
    if (had.route.name !== page.route.name) chosen.clear();
    const filtering = had.route.name === page.route.name && document.activeElement?.closest('.filter, .chips');
    if (!filtering) at('main').replaceChildren();
    draw();
    at('main').querySelectorAll('.filter [name]').forEach((input) => { input.value = page.route.query[input.name] ?? ''; });
    if (!filtering) {
      at('main').querySelector('h1').focus();
      window.scrollTo(0, 0);
    }
  });
  document.addEventListener('visibilitychange', () => {
    connect();
    if (!document.hidden) load();
  });
  window.addEventListener('online', () => { if (stream.state === 'lost') connect(); });

  draw();
  connect();
  setInterval(tick, 1000);
})();
