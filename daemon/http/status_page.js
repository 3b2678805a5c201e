// SPDX-License-Identifier: Apache-2.0
//
// The status page fetches status.json once a second while it is visible, and shows it. Names of
// services and methods can come from hostile peers, so text enters the page only by textContent,
// never as markup.

const kPeriod = 1000, kRetry = 2000, kPatience = 5000;  // milliseconds
const kLatencyPlots = 6, kSearchedRows = 50;

const $ = id => document.getElementById(id);
let latest = null;  // the last status.json

// ---- Text -------------------------------------------------------------------------------------

// Invisible characters, and those that change the direction of text, are shown as \uXXXX.
const kUnseen = new RegExp('[\\0-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f' +
    '\\u2028-\\u202e\\u2060-\\u206f\\ufeff]', 'g');
const printable = text => String(text).replace(
    kUnseen, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
const whole = n => Math.round(n).toLocaleString('en');
function rate(n) {
  if (n == null) return '–';
  if (n >= 1e6) return (n / 1e6).toFixed(2) + ' M';
  if (n >= 1e4) return (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + ' k';
  return n >= 100 || Number.isInteger(n) ? whole(n) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
}
function bytes(n) {
  if (n == null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; n >= 1024 && unit < 4; ++unit) n /= 1024;
  return (n >= 100 || Number.isInteger(n) ? Math.round(n) : n.toFixed(1)) + ' ' + units[unit];
}
// Formats the duration of a call.
function span(seconds) {
  if (seconds == null) return '–';
  const [n, unit] = seconds < 1e-3 ? [seconds * 1e6, 'µs'] : seconds < 1 ? [seconds * 1e3, 'ms'] :
      [seconds, 's'];
  return (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)) + ' ' + unit;
}
// Formats the age of a daemon.
function age(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
}
// Returns a uid and its name, if there is one.
const whose = ({uid, user}) => uid == null ? '?' : user ? `${uid} (${user})` : uid;
// The page shows times in the browser's time zone, which can differ from the daemon's.
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone + ', ' +
    new Date().toLocaleString('en', {timeZoneName: 'longOffset'}).split(' ').at(-1);
const clock = (time, day) => new Date(time).toLocaleString('sv', day ? {} : {timeStyle: 'medium'});

// ---- Elements ---------------------------------------------------------------------------------

// Writes a text only if it has changed, so that a selection survives the next refresh.
function write(element, text) {
  text = printable(text);
  if (element.textContent !== text) element.textContent = text;
}
function add(parent, tag, name, text) {
  const element = parent.appendChild(document.createElement(tag));
  if (name) element.className = name;
  if (text != null) element.textContent = printable(text);
  return element;
}
// Gives `parent` one child for each item, in order. Children are kept between refreshes.
function sync(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map(child => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const key = String(keyOf(item));
    let child = old.get(key);
    old.delete(key);
    if (!child) { child = make(item); child.dataset.key = key; }
    const there = parent.children[index] ?? null;
    if (there !== child) parent.insertBefore(child, there);
    update(child, item);
  });
  for (const child of old.values()) child.remove();
}
// Columns are [title, class, show(cell, item)]. The roles are explicit because rows are shown as
// cards on a phone, where a screen reader would no longer see a table.
function table(section, columns, keyOf, nothing) {
  const find = add($(section), 'input', 'find');
  find.type = 'search';
  find.placeholder = 'search';
  find.setAttribute('aria-label', 'Search, ' + $('h-' + section).textContent);
  find.hidden = true;
  const box = add($(section), 'div', 'scroll');
  const frame = add(box, 'table');
  frame.setAttribute('role', 'table');
  frame.setAttribute('aria-labelledby', 'h-' + section);
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-labelledby', 'h-' + section);
  const head = add(add(frame, 'thead'), 'tr');
  for (const [title, name] of columns) add(head, 'th', name, title).scope = 'col';
  const body = add(frame, 'tbody');
  const none = add($(section), 'p', 'muted', nothing);
  const make = () => {
    const row = document.createElement('tr');
    row.setAttribute('role', 'row');
    for (const [title, name] of columns) {
      const cell = add(row, 'td', name);
      cell.setAttribute('role', 'cell');
      if (!/name|call|time|status/.test(name)) cell.dataset.label = title;
    }
    return row;
  };
  let all = [];
  const draw = () => {
    const wanted = find.hidden ? '' : find.value.toLowerCase();
    const items = all.filter(item => Object.values(item).join(' ').toLowerCase().includes(wanted));
    box.hidden = !(none.hidden = items.length > 0);
    if (all.length) write(none, items.length ? nothing : 'No entry matches.');
    sync(body, items, keyOf, make,
        (row, item) => columns.forEach((column, i) => column[2](row.cells[i], item)));
  };
  find.addEventListener('input', draw);
  return items => {
    all = items;
    find.hidden = items.length <= kSearchedRows;
    draw();
  };
}
const number = (title, of) => [title, 'n', (cell, item) => write(cell, of(item))];
// Shows a name, and smaller text below it.
function named(cell, name, rest, alarm) {
  if (!cell.firstChild) { add(cell, 'span'); add(cell, 'small'); add(cell, 'small', 'bad'); }
  [name, rest, alarm ?? ''].forEach((text, i) => write(cell.children[i], text));
}
function bar(parent, share) {
  const track = parent.querySelector('.track') ?? add(parent, 'div', 'track');
  const fill = track.firstChild ?? add(track, 'i');
  fill.style.width = Math.min(100, 100 * share) + '%';
  fill.className = share > .8 ? 'high' : '';
}
const against = (title, key, limit, show) => [title, 'bar', (cell, user) => {
  if (!cell.firstChild) add(cell, 'span');
  const most = latest.limits[limit];
  write(cell.firstChild, show(user[key]) + (most ? ' of ' + show(most) : ''));
  if (most) bar(cell, user[key] / most);
}];

// ---- The parts of the page ----------------------------------------------------------------------

const showBackends = table('backends', [
  ['backend', 'name', (cell, b) => named(cell, b.name, b.addresses.join(', '),
      b.tried && !b.up ? b.error : '')],
  ['state', 'state', (cell, b) => {
    write(cell, b.up ? '● up' : b.tried ? '▲ down' : '○ not tried yet');
    cell.classList.toggle('bad', b.tried && !b.up);
    cell.classList.toggle('good', b.up);
  }],
  number('connections', b => whole(b.connections)), number('in flight', b => whole(b.calls)),
  number('calls/s', b => rate(samples.at(-1).latency.get(b.name)?.perSecond)),
  ...kQuantiles.map((q, i) => number(q.label, b => span(samples.at(-1).latency.get(b.name)?.[i]))),
  number('total calls', b => whole(b.count)),
  number('mean', b => span(b.count ? b.sum / b.count : null)),
], b => b.name, 'No backend is configured.');
const showWorkloads = table('workloads', [
  ['workload', 'name', (cell, w) => named(cell, w.name, w.pod && 'pod ' + w.pod, w.problem)],
  ['listener', '', (cell, w) => write(cell, w.listener)],
  ['socket', 'name', (cell, w) => named(cell, w.front || '–', w.address)],
  number('peers', w => whole(w.peers)),
  ['since', 'time', (cell, w) => write(cell, clock(w.since, true))],
], w => [w.listener, w.name].join('/'), 'No workload exists.');
const showListeners = table('listeners', [
  ['listener', 'name', (cell, l) => named(cell, l.name, l.address)],
  number('peers', l => whole(l.peers)), number('admitted', l => whole(l.admitted)),
  number('refused', l => whole(l.refused)),
], l => l.name, 'No listener is configured.');
const showUsers = table('users', [
  ['user', 'uid', (cell, user) => write(cell, whose(user))],
  against('connections', 'connections', 'connections_per_user', whole),
  against('calls', 'calls', 'calls_per_user', whole),
  against('buffered', 'buffered', 'buffered_per_user', bytes),
], user => user.uid, 'No user is connected.');
const showRules = table('rules', [
  ['rule', 'name', (cell, r) => named(cell, r.name || '(none matched)', r.where)],
  ['action', 'state', (cell, r) => write(cell, r.action + (r.enforced ? '' : ', not enforced'))],
  number('hits', r => whole(r.hits)),
], r => r.name, 'No rule is configured: every call is denied.');
// Shows a method, whose name can come from a hostile peer. A click shows all of a long name.
function method(cell, text) {
  write(cell.firstChild ?? add(cell, 'code', 'name'), text);
  cell.title = printable(text);
  cell.onclick = () => cell.classList.add('all');
}
const showTopDenied = table('top_denied', [
  ['user', 'uid', (cell, d) => write(cell, whose(d))],
  ['call', 'call', (cell, d) => method(cell, `/${d.service}/${d.method}`)],
  number('denied', d => whole(d.count)),
], d => [d.uid, d.service, d.method].join('/'), 'No call was denied since the daemon started.');
const kReasons = {
  not_admitted: 'no rule admits this user', no_credentials: 'the kernel gave no credentials',
  too_many_connections: 'there are too many connections', malformed: 'the request is malformed',
  metadata: 'the metadata is ambiguous', no_rule: 'no rule allows it',
  deny_rule: 'a rule denies it', draining: 'the daemon is draining', limit: 'a limit is reached',
  deadline: 'the deadline has passed', backend_unreachable: 'the backend cannot be reached',
  backend_lost: 'the backend was lost', backend_owner: 'another user owns the backend',
  audit_failing: 'the audit cannot be written', payload: 'the payload cannot be decoded'};
function why(d) {
  const of_code = {INVALID_ARGUMENT: 'malformed', RESOURCE_EXHAUSTED: 'limit',
    PERMISSION_DENIED: d.rule ? 'deny_rule' : 'no_rule', UNAVAILABLE: 'backend_unreachable'};
  const words = kReasons[d.reason || (d.code ? of_code[d.code] : 'not_admitted')] ?? '–';
  return words + (d.limit ? ': ' + d.limit : '');
}
const showDenials = table('denials', [
  ['time', 'time', (cell, d) => { write(cell, clock(d.time)); cell.title = clock(d.time, true); }],
  ['user', 'n', (cell, d) => write(cell, whose(d))],
  ['pid', 'n', (cell, d) => write(cell, d.pid || '?')],
  ['listener', '', (cell, d) => write(cell, d.listener)],
  ['call', 'call', (cell, d) => method(cell, d.service || d.method ? `/${d.service}/${d.method}` :
      d.code ? '(not a valid request)' : '(the connection)')],
  ['rule', 'rule', (cell, d) =>
      write(cell, d.rule || (d.event === 'deny' ? '(none matched)' : '–'))],
  ['why', 'why', (cell, d) => { write(cell, why(d)); cell.title = printable(d.detail ?? ''); }],
  ['status', 'status', (cell, d) => write(cell, d.code ?? 'closed')],
], d => d.key, 'Nothing was denied or refused since the daemon started.');

function pairs(list, entries, show) {
  sync(list, entries, entry => entry[0], entry => {
    const pair = document.createElement('div');
    add(pair, 'dt', '', entry[0]);
    add(pair, 'dd');
    return pair;
  }, show);
}
function showHead(s) {
  write($('version'), s.version);
  write($('host'), s.host ? ' on ' + s.host : '');
  pairs($('facts'), [
    ['pid', s.pid], ['up', age(s.now - s.started)],
    ['configuration', s.config], ['digest', s.digest.slice(0, 12)],
    ['loaded', clock(s.loaded, true)], ['reloads', `${s.reloads}, ${s.reloads_refused} refused` +
        (s.last_reload_successful ? '' : ', including the last one')],
    ['sandbox', s.sandboxed ? 'on' : 'off'],
    ['audit lines lost', whole(s.audit_lost) + (s.audit_failing ? ', the target is failing' : '')],
    ['time zone', zone()],
  ], (pair, [name, text]) => {
    write(pair.lastChild, text);
    const bad = {sandbox: !s.sandboxed, reloads: !s.last_reload_successful,
                 'audit lines lost': s.audit_lost > 0 || s.audit_failing}[name];
    pair.lastChild.className = bad ? 'bad' : '';
  });
}
function showFigures(s) {
  const now = samples.at(-1).rates;
  const of = (key, show) => [show(s[key]), 'of ' + show(s.limits[key]), s[key] / s.limits[key]];
  pairs($('figures'), [
    ['calls/s', rate(now?.all), 'finished, all statuses'],
    ['denied/s', rate(now?.denied), 'by policy'],
    ['calls in flight', whole(sum(s.backends.map(b => b.calls))), 'at backends'],
    ['peers', ...of('connections', whole)],
    ['bytes/s', bytes(now && now.received + now.sent), 'to and from peers'],
    ['buffered', ...of('buffered', bytes)],
    ['memory', bytes(s.resident), 'resident'],
    ['descriptors', whole(s.descriptors), 'of ' + whole(s.most_descriptors),
     s.descriptors / s.most_descriptors],
  ], (pair, [, text, note, share]) => {
    if (!pair.children[2]) add(add(pair, 'dd', 'note'), 'small');
    write(pair.children[1], text);
    write(pair.children[2].firstChild, note);
    if (share != null) bar(pair.children[2], share);
  });
}
function showLatency(s) {
  // Total calls choose the busiest backends, so that plots do not change places.
  const called = s.backends.filter(b => b.count > 0);
  const some = [...called].sort((a, b) => b.count - a.count).slice(0, kLatencyPlots);
  sync($('latency'), called.filter(b => some.includes(b)), b => b.name, b => {
    const figure = document.createElement('div');
    add(figure, 'h3', '', b.name);
    const list = add(figure, 'ul', 'legend');
    const canvas = add(figure, 'canvas');
    canvas.setAttribute('role', 'img');
    canvas.tabIndex = 0;
    plotOn(canvas, list, {
      say: `Latency of ${printable(b.name)}:`, show: span, log: true,
      series: kQuantiles.map((q, i) => (
          {...q, colour: ['ok', 'limit', 'denied'][i], value: x => x.latency.get(b.name)?.[i]})),
    });
    return figure;
  }, () => {});
  write($('latency-note'), !called.length ? 'no call has finished yet' :
      called.length > some.length ? `the ${some.length} busiest of ${called.length}` : '');
}
function showUsersAndDenials(s) {
  const most = user => Math.max(...['connections', 'calls', 'buffered'].map(
      key => user[key] / (s.limits[key + '_per_user'] || Infinity)));
  // Those near a limit come first; the others keep their places.
  const weight = user => most(user) > .5 ? most(user) : 0;
  const users = [...s.users].sort((a, b) => weight(b) - weight(a) || a.uid - b.uid);
  showUsers(users);
  write($('users-note'), users.length < s.users_total ?
      `the ${users.length} of ${s.users_total} nearest to a limit` : '');
  showTopDenied(s.top_denied);
  const seen = new Map();
  showDenials(s.refusals.map(d => {
    const like = JSON.stringify(d), nth = (seen.get(like) ?? 0) + 1;
    seen.set(like, nth);
    return {...d, key: like + nth};
  }));
  write($('denials-note'), s.refusals.length ? `the last ${s.refusals.length}` : '');
}
function showWorkloadsOf(s) {
  $('workloads').hidden = !s.listeners.some(listener => listener.discovers);
  showWorkloads(s.workloads);
  write($('workloads-note'), s.workloads.length < s.workloads_total ?
      `${s.workloads.length} of ${s.workloads_total}, those with a problem first` : '');
}
function showRulesOf(s) {
  const hits = {name: '', action: 'deny', enforced: true, hits: s.unmatched, where: ''};
  showRules([...s.rules, hits]);
  write($('rules-note'), `${s.rules.filter(rule => !rule.hits).length} without a hit`);
}
const isDown = backend => backend.tried && !backend.up;
function show(s) {
  latest = s;
  take(s);
  showHead(s);
  showFigures(s);
  showLatency(s);
  // Backends that are down come first; the others keep their places.
  showBackends([...s.backends].sort((a, b) => isDown(b) - isDown(a)));
  showListeners(s.listeners);
  showWorkloadsOf(s);
  showRulesOf(s);
  showUsersAndDenials(s);
  drawAll();
}

// ---- The daemon ---------------------------------------------------------------------------------

let timer = 0, polling = false, lastHeard = null;
function tell(state, notice) {
  write($('state'), state);
  $('state').dataset.state = state;
  document.body.classList.toggle('stale', state === 'unreachable');
  $('notice').hidden = !notice;
  write($('notice'), notice ?? '');
  const now = samples.at(-1)?.rates;
  const what = state !== 'live' ? state + ' – ' : now ? rate(now.all) + ' calls/s – ' : '';
  document.title = what + 'ttrpc-proxyd' + (latest?.host ? ' on ' + latest.host : '');
}
async function ask() {
  let reply;
  try {
    reply = await fetch('status.json', {cache: 'no-store', signal: AbortSignal.timeout(kPatience)});
    if (!reply.ok) throw new Error(`HTTP status ${reply.status}`);
    reply = await reply.json();
  } catch (error) {
    const known = lastHeard ? `This page shows its state at ${clock(lastHeard)}.` :
        'Its state is not known yet.';
    tell('unreachable', `The daemon cannot be reached (${error.message}). ${known}`);
    return kRetry;
  }
  lastHeard = Date.now();
  show(reply);
  tell(reply.draining ? 'draining' : 'live', reply.draining ?
      `The daemon has been draining for ${age(reply.now - reply.drain_began)}. It refuses new ` +
      'calls and exits after the last one.' : null);
  return kPeriod;
}
async function poll() {
  clearTimeout(timer);
  if (polling || document.hidden) return;
  polling = true;
  const began = performance.now();
  let period = kRetry;
  try {
    period = await ask();
  } catch (error) {
    tell('unreachable', 'This page cannot show the reply of the daemon: ' + error.message);
    console.error(error);
  }
  polling = false;
  timer = setTimeout(poll, Math.max(100, period - (performance.now() - began)));
}

// ---- Start --------------------------------------------------------------------------------------

plotOn($('plot-ok'), $('legend-ok'), {
  say: 'Successful calls per second:', show: rate, stacked: true,
  series: [{label: 'OK', colour: 'ok', value: s => s.rates?.totals[0]}],
});
plotOn($('plot-rest'), $('legend-rest'), {
  say: 'Failed calls per second, by status:', show: rate, stacked: true,
  series: kClasses.map(([label, name], i) => ({
    label, colour: name, value: s => s.rates?.totals[i + 1],
    quiet: () => i > 0 && !samples.at(-1).totals[i + 1],
  })),
});
document.addEventListener('visibilitychange', poll);
addEventListener('resize', drawAll);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
poll();
