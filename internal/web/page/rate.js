'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  // Characters that act on the order or the look of text instead of being read are shown by their number.
  const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
  const visible = (s) => s.replace(/\r\n?/g, '\n').replace(hidden, (c) => '⟨U+' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') + '⟩');
  // Everything from outside goes into the page as text, through here.
  const el = (tag, attrs, ...children) => {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs || {})) if (v !== undefined) e.setAttribute(k, v);
    for (const c of children) if (c !== null && c !== undefined) e.append(typeof c === 'string' ? document.createTextNode(visible(c)) : c);
    return e;
  };

  let state = null, question = null, busy = false, comment = '', values = {}, here = 0;
  let failed = null; // the request that did not get through, to be sent again

  // Time counts while the page is looked at: seen, and with a sign of life in the last minute.
  const idle = 60000;
  let spent = 0, since = performance.now(), alive = since;
  const tick = () => {
    const now = performance.now();
    if (!document.hidden && now - alive < idle) spent += now - since;
    since = now;
  };
  for (const ev of ['keydown', 'pointermove', 'pointerdown', 'scroll', 'wheel', 'touchstart']) addEventListener(ev, () => { tick(); alive = performance.now(); }, { passive: true, capture: true });
  document.addEventListener('visibilitychange', () => { tick(); since = alive = performance.now(); });
  setInterval(tick, 1000);

  // What was begun of an item outlives a closed tab: rubric values, the comment, and the time.
  const draftKey = () => 'rung rate ' + state.queue + ' ' + state.rater + ' ' + question.item;
  const keepDraft = () => {
    if (!question) return;
    const begun = label.begun();
    try {
      if (comment || begun || Object.keys(values).length) localStorage.setItem(draftKey(), JSON.stringify({ comment, values, seconds: spent / 1000, ...begun }));
      else localStorage.removeItem(draftKey());
    } catch { /* a browser without storage loses the draft and no rating */ }
  };
  const draft = () => { try { return JSON.parse(localStorage.getItem(draftKey()) || 'null'); } catch { return null; } };
  const dropDraft = () => { try { localStorage.removeItem(draftKey()); } catch { /* as above */ } };

  const say = (text, kind) => { const s = $('status'); s.textContent = visible(text); s.className = kind || ''; };

  const ask = async (path, body) => {
    const get = path === 'state';
    const response = await fetch(path, get ? { cache: 'no-store' } : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body || {}) });
    const kind = response.headers.get('Content-Type') || '';
    if (!kind.startsWith('application/json')) throw new Error(await response.text());
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.what + (answer.do ? '; ' + answer.do : ''));
    return answer;
  };

  // send does one thing at a time: a key that is held down rates one item, not ten.
  const send = async (path, body, done) => {
    if (busy) return;
    busy = true;
    try {
      const next = await ask(path, body);
      failed = null;
      if (path === 'rate') dropDraft();
      show(next);
      say(done, 'good');
    } catch (e) {
      failed = [path, body, done];
      const gone = e instanceof TypeError;
      say('Not saved: ' + (gone ? 'rung does not answer. Is it still running? Then press Enter to try again; else start it and open the new address.' : e.message + ' Enter tries again.'), 'bad');
    } finally {
      busy = false;
    }
  };

  const words = { left: 'left is better', right: 'right is better', tie: 'equal' };
  const rate = (choice) => {
    if (!question || busy) return;
    tick();
    const said = { item: question.item, comment, seconds: Math.round(spent / 100) / 10 };
    if (choice === 'skip') said.skipped = true;
    else if (state.kind === 'label') { said.text = choice.text; said.modes = choice.modes; }
    else if (state.kind === 'pairwise') said.choice = choice;
    else {
      const open = state.criteria.findIndex((c) => !values[c.name]);
      if (open >= 0) { focusOn(open); say('Rate "' + state.criteria[open].name + '" too, or skip the item with s.', 'bad'); return; }
      said.values = values;
    }
    const what = choice === 'skip' ? 'Skipped' : 'Saved: ' + (said.text !== undefined ? brief(said.text) : said.choice ? words[said.choice] : state.criteria.map((c) => c.name + ' ' + values[c.name]).join(', '));
    if (said.choice) document.querySelectorAll('article').forEach((a, i) => a.classList.toggle('picked', choice === (i ? 'right' : 'left')));
    send('rate', said, what + '. u takes it back.');
  };

  const brief = (s) => { const one = s.replace(/\s+/g, ' ').trim(); return one.length > 60 ? one.slice(0, 60) + '…' : one; };
  const label = window.rungLabel({ $, el, say, rate: (said) => rate(said), changed: () => keepDraft() });

  const isCode = (s) => /^\s*[[{]/.test(s) && /[\]}]\s*$/.test(s);
  const textOf = (s) => s === '(no answer)' || !s.trim() ? el('p', { class: 'text none' }, s.trim() || '(an empty answer)') : el('p', { class: 'text' + (isCode(s) ? ' code' : ''), dir: 'auto' }, s);

  // differing marks the words that only one of two texts has, by their longest common subsequence.
  const limit = 3000;
  const differing = (a, b) => {
    const cut = (s) => s.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) || [];
    const x = cut(a), y = cut(b);
    if (x.length > limit || y.length > limit) return null;
    const width = y.length + 1, best = new Uint16Array((x.length + 1) * width);
    for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) {
      best[i * width + j] = x[i] === y[j] ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
    const one = x.map((t) => [t, true]), two = y.map((t) => [t, true]);
    for (let i = 0, j = 0; i < x.length && j < y.length;) {
      if (x[i] === y[j]) { one[i++][1] = false; two[j++][1] = false; } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++; else j++;
    }
    return [one, two];
  };
  const marked = (tokens, like) => {
    const p = el('p', { class: 'text' + (isCode(like) ? ' code' : ''), dir: 'auto' });
    let run = '', only = false;
    const flush = () => { if (run) p.append(only && run.trim() ? el('mark', { class: 'only' }, run) : document.createTextNode(visible(run))); run = ''; };
    for (const [t, o] of tokens) { if (o !== only) { flush(); only = o; } run += t; }
    flush();
    return p;
  };
  let diffOn = false;
  try { diffOn = localStorage.getItem('rung rate differences') === 'on'; } catch { /* off */ }

  const answers = () => {
    const box = $('answers'), a = question.answers;
    const one = state.kind === 'label' ? label.head() : 'Answer';
    box.className = a.length === 1 ? 'one' : ''; box.hidden = !a.length;
    const both = a.length === 2 && diffOn ? differing(visible(a[0]), visible(a[1])) : null;
    if (a.length === 2 && diffOn && !both) say('These answers are too long to mark their differences.');
    box.replaceChildren(...a.map((text, i) => el('article', { 'aria-label': a.length === 1 ? one : i ? 'Right answer' : 'Left answer' },
      el('div', { class: 'head' }, el('h2', {}, a.length === 1 ? one : i ? 'Right' : 'Left')), both ? marked(both[i], text) : textOf(text))));
  };

  const given = (fields) => {
    if (fields.length === 1 && !fields[0].name) return textOf(fields[0].text);
    const dl = el('dl');
    for (const f of fields) dl.append(el('dt', {}, f.name), el('dd', {}, textOf(f.text)));
    return dl;
  };

  const heard = (h) => {
    const said = state.kind === 'label' ? (h.text || '') + (h.modes ? ' [' + h.modes.join(', ') + ']' : '') : h.choice ? words[h.choice] : state.criteria.map((c) => c.name + ' ' + h.values[c.name]).join(', ');
    return el('li', {}, said, h.comment ? ': “' + h.comment + '”' : '');
  };

  const focusOn = (i) => {
    here = i;
    document.querySelectorAll('fieldset').forEach((f, at) => f.classList.toggle('here', at === i));
  };
  const setValue = (i, v) => {
    const c = state.criteria[i];
    values[c.name] = v;
    document.querySelector('input[name="c' + i + '"][value="' + v + '"]').checked = true;
    keepDraft();
    const open = state.criteria.findIndex((o) => !values[o.name]);
    if (state.criteria.length === 1) { rate('values'); return; }
    focusOn(open >= 0 ? open : i);
    say(open >= 0 ? '' : 'Enter saves it.');
  };
  const rubric = () => {
    const box = $('rubric');
    box.hidden = state.kind !== 'rubric';
    $('pairwise').hidden = state.kind !== 'pairwise';
    if (box.hidden) return;
    box.replaceChildren(...state.criteria.map((c, i) => {
      const scale = el('div', { class: 'scale' });
      for (let v = 1; v <= 5; v++) {
        const anchor = (c.anchors || {})[v];
        const input = el('input', { type: 'radio', name: 'c' + i, value: String(v), 'aria-label': v + (anchor ? ': ' + anchor : '') });
        input.checked = values[c.name] === v;
        input.addEventListener('click', () => setValue(i, v));
        scale.append(el('label', { title: anchor }, input, el('b', {}, String(v)), anchor ? el('span', {}, anchor) : null));
      }
      const ends = [1, 5].filter((v) => (c.anchors || {})[v]).map((v) => v + ' ' + c.anchors[v]).join(' · '); // where there is no room for all
      const f = el('fieldset', {}, el('legend', {}, el('b', {}, c.name), el('span', {}, c.question), ends ? el('span', { class: 'ends', 'aria-hidden': 'true' }, ends) : null), scale);
      f.addEventListener('pointerdown', () => focusOn(i));
      return f;
    }));
    if (state.criteria.length > 1) {
      const b = el('button', { type: 'button', id: 'submit' }, 'Save ', el('kbd', {}, 'Enter'));
      b.addEventListener('click', () => rate('values'));
      box.append(el('p', { class: 'row' }, b));
    }
    const open = state.criteria.findIndex((c) => !values[c.name]);
    focusOn(open >= 0 ? open : 0);
  };

  const left = () => {
    const open = state.total - state.done - state.skipped;
    if (!open || !state.seconds) return open ? open + ' to go' : '';
    const minutes = Math.round(open * state.seconds / 60);
    return open + ' to go, about ' + (minutes < 1 ? 'a minute' : minutes < 90 ? minutes + ' min' : (minutes / 60).toFixed(1) + ' h');
  };

  const keyList = () => {
    const rows = state.kind === 'label' ? label.keys() : state.kind === 'pairwise' ? [['1 or ←', 'the left answer is better'], ['2 or →', 'the right answer is better'], ...(state.ties ? [['0 or =', 'they are equally good']] : [])]
      : [['1 – 5', 'the value of the marked criterion'], ['↑ ↓', 'the criterion before, after'], ...(state.criteria.length > 1 ? [['Enter', 'save']] : [])];
    rows.push(['u', 'take the last rating back'], ['s', 'skip'], ['c', 'comment'], ...(state.kind === 'pairwise' ? [['d', 'mark differences between the answers']] : []), ['i', 'show the whole input'], ['space', 'scroll down'], ['r', 'at the end: the skipped ones again'], ['?', 'this list']);
    $('keylist').replaceChildren(...rows.flatMap(([k, what]) => [el('dt', {}, el('kbd', {}, k)), el('dd', {}, what)]));
  };

  const show = (next) => {
    state = next;
    question = next.question || null;
    comment = ''; values = {}; spent = 0; since = alive = performance.now();
    document.title = state.done + '/' + state.total + ' · rung ' + (state.kind === 'label' ? 'label' : 'rate');
    $('task').textContent = visible(state.task + ' · ' + state.queue);
    $('who').textContent = visible(' · ' + state.rater + (state.role === 'adjudicator' ? ', adjudicating' : ''));
    $('done').textContent = state.done + ' of ' + state.total + (state.skipped ? ', ' + state.skipped + ' skipped' : '');
    $('bar').max = Math.max(state.total, 1); $('bar').value = state.done + state.skipped;
    $('left').textContent = left();
    $('ask').textContent = visible(state.ask);
    $('undo').disabled = !state.can_undo;
    $('tie').hidden = !state.ties; $('pairwise').classList.toggle('noties', !state.ties);
    $('diff').hidden = state.kind !== 'pairwise'; $('diff').setAttribute('aria-pressed', String(diffOn));
    for (const id of ['skip', 'note']) $(id).disabled = !question;
    $('work').hidden = $('ask').hidden = !question; $('end').hidden = !!question;
    document.querySelectorAll('.choice').forEach((b) => { b.disabled = !question; b.classList.remove('was'); });
    if (!question) { label.show(state, {}); keyList(); ended(); return; }
    const before = question.before || draft() || {};
    comment = before.comment || ''; values = Object.assign({}, before.values); spent = (before.seconds || 0) * 1000;
    const was = { left: '1', right: '2', tie: '0' }[before.choice];
    if (was) document.querySelector('.choice[data-key="' + was + '"]').classList.add('was');
    $('input').replaceChildren(given(question.input)); $('input').classList.remove('open');
    $('whole').hidden = $('input').scrollHeight <= $('input').clientHeight + 1;
    $('refsection').hidden = !question.reference;
    if (question.reference) $('reference').replaceChildren(textOf(question.reference));
    $('heard').hidden = !question.heard;
    if (question.heard) $('heardlist').replaceChildren(...question.heard.map(heard));
    answers(); rubric(); noted();
    scrollTo(0, 0); $('input').scrollTop = 0; $('main').focus({ preventScroll: true });
    label.show(state, before); keyList();
  };
  const ended = () => {
    $('rubric').hidden = true; $('pairwise').hidden = state.kind !== 'pairwise'; $('answers').replaceChildren();
    $('endhead').textContent = state.total === 0 ? 'There is nothing to do here' : state.skipped ? 'Nothing is left but what you skipped' : 'All done, thank you';
    $('endtext').textContent = state.total === 0 ? (state.role === 'adjudicator' ? 'The raters agree on everything they have rated so far.' : 'This seat has no items.') : state.done + ' rated' + (state.skipped ? ', ' + state.skipped + ' skipped' : '') + '. Everything is saved; you can close this page.';
    $('endagain').hidden = !state.skipped;
    $('main').focus({ preventScroll: true });
  };
  const noted = () => { $('note').firstChild.textContent = comment ? 'comment ✓ ' : 'comment '; };

  const dialogOpen = () => document.querySelector('dialog[open]');
  const actions = {
    '1': () => state.kind === 'pairwise' && rate('left'), '2': () => state.kind === 'pairwise' && rate('right'), '0': () => state.kind === 'pairwise' && state.ties && rate('tie'),
    u: () => state.can_undo ? send('undo', {}, 'Taken back: rate it anew.') : say('There is nothing to take back.'),
    s: () => rate('skip'), r: () => !question && state.skipped && send('again', {}, 'The skipped ones, again.'),
    // Opened after the key's own character has gone where it goes: not into the comment.
    c: () => { if (question) setTimeout(() => { $('text').value = comment; if (!$('comment').open) $('comment').showModal(); $('text').focus(); }, 30); },
    d: () => { diffOn = !diffOn; try { localStorage.setItem('rung rate differences', diffOn ? 'on' : 'off'); } catch { /* for this page only */ } $('diff').setAttribute('aria-pressed', String(diffOn)); if (question) answers(); },
    i: () => $('input').classList.toggle('open'), '?': () => $('keys').showModal(),
  };
  const alias = { ArrowLeft: '1', ArrowRight: '2', '=': '0' };

  addEventListener('keydown', (e) => {
    if (state && state.kind === 'label' && !(failed && e.key === 'Enter' && !e.ctrlKey && e.target === document.body) && label.key(e)) return;
    if (e.ctrlKey || e.metaKey || e.altKey || !state) {
      if (e.key === 'Enter' && e.ctrlKey && $('comment').open) $('comment').close();
      return;
    }
    if (dialogOpen() || e.repeat && e.key !== 'ArrowUp' && e.key !== 'ArrowDown') return;
    if (e.key === 'Enter' && !(e.target instanceof HTMLButtonElement)) {
      if (failed) { const [path, body, done] = failed; send(path, body, done); } else if (question && state.kind === 'rubric') rate('values');
      e.preventDefault();
      return;
    }
    if (question && state.kind === 'rubric') {
      if (e.key >= '1' && e.key <= '5') { setValue(here, Number(e.key)); e.preventDefault(); return; }
      if (state.criteria.length > 1 && (e.key === 'ArrowUp' || e.key === 'ArrowDown')) { focusOn((here + (e.key === 'ArrowUp' ? state.criteria.length - 1 : 1)) % state.criteria.length); e.preventDefault(); return; }
    }
    const action = actions[alias[e.key] || (e.key.length === 1 ? e.key.toLowerCase() : e.key)];
    if (action) { e.preventDefault(); action(); }
  });
  document.querySelectorAll('button[data-key]').forEach((b) => b.addEventListener('click', () => { if (state) actions[b.dataset.key](); b.blur(); }));
  $('text').addEventListener('input', () => { comment = $('text').value.trim(); keepDraft(); noted(); });
  addEventListener('pagehide', () => { tick(); keepDraft(); });

  ask('state').then((s) => { show(s); say(s.done + s.skipped ? 'You go on where you were.' : 'The keys stand beside the buttons; ? lists them all.'); }, (e) => say(e.message, 'bad'))
    .finally(() => { document.documentElement.dataset.ready = 'yes'; });
})();
