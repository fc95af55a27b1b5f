(() => {
  const { $, unpack, visible, el, num } = page;
  const usd = (v) => v === 0 ? '$0' : '$' + (v >= 0.995 ? v.toFixed(2) : v.toFixed(Math.max(2, 1 - Math.floor(Math.log10(v)))));
  const ms = (v) => v < 1000 ? Math.round(v) + ' ms' : (v / 1000).toFixed(1) + ' s';
  const score = (v) => v > 1.5 ? v.toFixed(1) : v.toFixed(2).replace(/^(-?)0\./, '$1.');
  const plural = (n, one) => n === 1 ? '1 ' + one : num(n) + ' ' + one + 's';

  const marks = { '≠': 'another value', '+': 'not expected', '–': 'missing' };
  const text = (s, cls) => el('p', { class: 'text' + (cls ? ' ' + cls : ''), dir: 'auto' }, s);
  const fields = (list, compared) => {
    if (list.length === 1 && !list[0].p) return text(list[0].t);
    const dl = el('dl', { class: 'fields' });
    for (const f of list) {
      let value;
      if (f.m === '–') value = el('dd', { class: 'gone', dir: 'auto' }, 'missing: ', el('s', {}, f.t));
      else if (f.m) value = el('dd', { class: 'differs', dir: 'auto', 'data-mark': f.m, title: marks[f.m] }, f.t);
      else value = el('dd', { class: compared ? 'as' : '', dir: 'auto' }, f.t);
      dl.append(el('div', {}, el('dt', {}, f.p || '(whole)'), ' ', value));
    }
    return dl;
  };
  const plain = (list) => list.map((f) => f.p + ' ' + f.t).join('\n');

  let data, rows = [], shown = 0;
  const step = 25;

  const right = (ex, r) => ex.answers[r] && ex.answers[r].right;
  const wrong = (ex, r) => ex.answers[r] && !ex.answers[r].right;

  // The choices of "Show": each a name, a sentence and a test.
  const choices = () => {
    const out = [['all', 'all examples', () => true]], names = data.rungs.map((r) => r.rung);
    if (data.chosen >= 0) out.push(['wrong:' + data.chosen, 'wrong in ' + names[data.chosen] + ' (decided)', (ex) => wrong(ex, data.chosen)]);
    for (let r = 1; r < names.length; r++) {
      const before = r - 1;
      out.push(['fixed:' + r, 'fixed by ' + names[r] + ' (wrong in ' + names[before] + ')', (ex) => wrong(ex, before) && right(ex, r)]);
      out.push(['broken:' + r, 'broken by ' + names[r] + ' (right in ' + names[before] + ')', (ex) => right(ex, before) && wrong(ex, r)]);
    }
    names.forEach((n, r) => { if (r !== data.chosen) out.push(['wrong:' + r, 'wrong in ' + n, (ex) => wrong(ex, r)]); });
    if (names.length > 1) {
      out.push(['differ', 'right in some rungs, wrong in others', (ex) => names.some((_, r) => right(ex, r)) && names.some((_, r) => wrong(ex, r))]);
      out.push(['none', 'wrong in every rung', (ex) => names.every((_, r) => !right(ex, r))]);
      out.push(['every', 'right in every rung', (ex) => names.every((_, r) => right(ex, r))]);
    }
    return out;
  };
  let tests = {};

  const fillFilters = () => {
    for (const [id, label, test] of choices()) {
      if (tests[id]) continue;
      tests[id] = test;
      $('which').append(el('option', { value: id }, label + ' – ' + num(data.examples.filter(test).length)));
    }
    const kinds = new Map();
    data.examples.forEach((ex) => ex.answers.forEach((a) => { if (a && a.mistake) kinds.set(a.mistake, (kinds.get(a.mistake) || 0) + 1); }));
    $('kind').append(el('option', { value: '' }, 'any'));
    for (const [k, n] of [...kinds].sort((a, b) => b[1] - a[1])) $('kind').append(el('option', { value: k }, k + ' – ' + plural(n, 'answer')));
    $('filter').hidden = false;
  };

  const haystack = (ex) => {
    if (!ex.hay) ex.hay = [ex.id, ex.segment || '', plain(ex.input || []), ...(ex.expected || []).map(plain), ...ex.answers.map((a) => a ? plain(a.fields) + ' ' + (a.mistake || '') : '')].join('\n').toLowerCase();
    return ex.hay;
  };

  const apply = () => {
    const test = tests[$('which').value] || (() => true), kind = $('kind').value, words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    // "wrong in X" with a kind means that kind in X; otherwise the kind in any rung.
    const only = $('which').value.startsWith('wrong:') ? Number($('which').value.slice(6)) : -1;
    rows = data.examples.filter((ex) => test(ex)
      && (!kind || ex.answers.some((a, r) => a && a.mistake === kind && (only < 0 || r === only)))
      && words.every((w) => haystack(ex).includes(w)));
    shown = 0;
    document.querySelector('#rows tbody').replaceChildren();
    more();
  };

  const more = () => {
    const body = document.querySelector('#rows tbody'), next = rows.slice(shown, shown + step);
    body.append(...next.map(row));
    shown += next.length;
    $('shown').textContent = rows.length === 0 ? 'No example fits these filters.' : 'Showing ' + num(shown) + ' of ' + plural(rows.length, 'example') + (rows.length < data.examples.length ? ' (' + num(data.examples.length) + ' in all).' : '.');
    $('more').hidden = shown >= rows.length;
  };

  const row = (ex) => {
    const expected = el('td', { 'data-label': 'expected' });
    (ex.expected || []).forEach((e, i) => { if (i) expected.append(el('p', { class: 'caption' }, 'or')); expected.append(fields(e)); });
    if (!ex.expected) expected.append(text('not stored', 'as'));
    const tr = el('tr', {}, el('th', { scope: 'row' }, el('span', { class: 'id' }, ex.id + (ex.segment ? ' · ' + ex.segment : '')), ex.input ? (ex.input.length === 1 ? text(ex.input[0].t) : fields(ex.input)) : null), expected);
    ex.answers.forEach((a, r) => tr.append(answer(ex, a, r)));
    return tr;
  };

  const outcome = (a) => a.right ? (a.value < 1 ? 'enough' : 'right') : a.mistake || 'wrong';
  const answer = (ex, a, r) => {
    const td = el('td', { 'data-label': data.rungs[r].rung });
    if (!a) { td.append(text('not scored', 'as')); return td; }
    td.className = a.right ? 'right' : 'wrong';
    td.append(el('p', { class: 'answerhead' }, el('span', {}, el('span', { class: 'mark' }, a.right ? '✓' : '✗'), ' ' + outcome(a)),
      el('span', { class: 'as' }, score(a.value) + (a.repaired ? ', repaired' : ''))));
    td.append(fields(a.fields, true));
    if (a.detail) td.append(text(a.detail, 'caption'));
    const label = (a.calls || []).length > 1 ? plural(a.calls.length, 'call') + ', ' + ms(a.ms) : 'completion, ' + ms(a.ms);
    td.append(el('button', { type: 'button', class: 'link', 'aria-haspopup': 'dialog', 'aria-label': label + ': answer of ' + data.rungs[r].rung + ' to ' + ex.id, onclick: () => open(ex, r) }, label));
    return td;
  };

  const pieces = new Map();
  const piece = (i) => { if (!pieces.has(i)) pieces.set(i, unpack('piece' + i)); return pieces.get(i); };

  const fact = (dl, name, value) => dl.append(el('dt', {}, name), el('dd', {}, value));
  const long = (s, left) => {
    const pre = el('pre', { tabindex: '0', dir: 'auto' }, s), note = left ? el('p', { class: 'caption' }, num(left) + ' bytes more are left out of this page.') : null;
    if (s.length <= 4000) return note ? el('div', {}, pre, note) : pre;
    return el('details', {}, el('summary', {}, plural(s.length, 'character') + ', beginning “' + s.slice(0, 80).replace(/\s+/g, ' ') + '…”'), pre, note);
  };

  const callView = (c) => {
    const box = el('section', { class: 'call' }), dl = el('dl', { class: 'facts' });
    fact(dl, 'model', c.model + (c.served && c.served !== c.model ? ' (the server says ' + c.served + ')' : ''));
    fact(dl, 'tokens', num(c.in) + ' in' + (c.cached_in ? ' (' + num(c.cached_in) + ' from the provider’s cache)' : '') + ', ' + num(c.out) + ' out');
    fact(dl, 'latency', ms(c.ms) + (c.attempts > 1 ? ', after ' + plural(c.attempts, 'attempt') : ''));
    fact(dl, 'cost', usd(c.usd));
    fact(dl, 'finished by', c.finish || 'unknown');
    if (c.at) fact(dl, 'at', c.at);
    fact(dl, 'key', c.key);
    box.append(dl);
    for (const m of c.messages || []) box.append(el('p', { class: 'role' }, m.role), long(m.text, m.left));
    box.append(el('p', { class: 'role' }, 'answer'), long(c.text, c.text_left));
    if (c.settings && c.settings !== '{}') box.append(el('details', {}, el('summary', {}, 'Settings of the request'), el('pre', { tabindex: '0' }, c.settings)));
    return box;
  };

  const open = async (ex, r) => {
    const a = ex.answers[r], body = $('cbody');
    $('ctitle').textContent = visible(ex.id + ': ' + data.rungs[r].rung + ', ' + outcome(a));
    body.replaceChildren();
    if (!(a.calls || []).length) body.append(text('The store has no calls for this answer.'));
    if (a.passages) body.append(el('p', { class: 'caption' }, 'Passages: ' + a.passages.join(', ')));
    $('completion').showModal();
    for (const [i, c] of (a.calls || []).entries()) {
      if (a.calls.length > 1) body.append(el('h3', {}, 'Call ' + (i + 1) + ' of ' + a.calls.length));
      if (c.piece < 0) { body.append(text('This completion is not in this page. To see it: rung show ' + c.key)); continue; }
      body.append(callView((await piece(c.piece))[c.place]));
    }
  };

  const wire = () => {
    $('which').addEventListener('change', apply);
    $('kind').addEventListener('change', apply);
    let timer;
    $('search').addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(apply, 120); });
    $('filter').addEventListener('submit', (e) => e.preventDefault());
    $('more').addEventListener('click', more);
    $('close').addEventListener('click', () => $('completion').close());
    $('completion').addEventListener('click', (e) => { if (e.target === $('completion')) $('completion').close(); });
    document.querySelectorAll('a[data-kind]').forEach((a) => a.addEventListener('click', () => {
      const r = data.rungs.findIndex((x) => x.rung === a.dataset.rung);
      $('which').value = 'wrong:' + r;
      $('kind').value = a.dataset.kind;
      $('search').value = '';
      apply();
    }));
  };

  const start = async () => {
    if (!$('rows')) return;
    if (typeof DecompressionStream === 'undefined') { $('shown').textContent = 'This browser is too old to unpack the examples. In a terminal: rung diff A B.'; return; }
    data = await unpack('index');
    document.querySelector('#rows thead').append(el('tr', {}, el('th', { scope: 'col' }, 'example'), el('th', { scope: 'col' }, 'expected'), ...data.rungs.map((r) => el('th', { scope: 'col' }, r.rung))));
    if (data.rungs.length > 3) $('rows').classList.add('many');
    fillFilters();
    $('which').value = 'all';
    wire();
    apply();
    document.documentElement.dataset.ready = 'yes';
  };
  start();
})();
