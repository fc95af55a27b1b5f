'use strict';
// What a screen of labels needs beside rate.js: a list to choose from, a text, or a form made of a JSON Schema; the failure modes of a shown
// answer; the guidelines. Everything from outside goes into the page through el, as text.
window.rungLabel = (page) => {
  const { $, el, say, rate, changed } = page;
  let form = null, question = null, modes = [], fields = null, found = [], at = 0;
  const few = 9;

  // compact JSON is laid out, strings and numbers left exactly as they are.
  const lay = (text) => {
    try { JSON.parse(text); } catch { return text; }
    let out = '', depth = 0, inside = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (inside) { out += c; if (c === '\\') out += text[++i]; else if (c === '"') inside = false; continue; }
      if (c === '"') { inside = true; out += c; } else if (/\s/.test(c)) continue;
      else if (c === '{' || c === '[') { const next = text.slice(i + 1).match(/^\s*([}\]])/); if (next) { out += c + next[1]; i += next[0].length; } else { depth++; out += c + '\n' + '  '.repeat(depth); } }
      else if (c === '}' || c === ']') { depth--; out += '\n' + '  '.repeat(depth) + c; } else if (c === ',') out += c + '\n' + '  '.repeat(depth); else if (c === ':') out += ': '; else out += c;
    }
    return out;
  };

  const typeOf = (s) => s.enum ? 'enum' : ['string', 'number', 'integer', 'boolean'].includes(s.type) ? s.type : 'json';
  // schemaFields are the properties of an object's schema, null where the output is better written as a whole.
  const schemaFields = () => {
    const s = form.schema;
    if (!s || s.type !== 'object' || !s.properties) return null;
    const names = Object.keys(s.properties);
    if (!names.length || names.length > 20) return null;
    return names.map((name) => ({ name, type: typeOf(s.properties[name]), schema: s.properties[name], required: (s.required || []).includes(name) }));
  };
  // members are the values of an object as they are written, since numbers that JavaScript cannot hold must not change; null of no object.
  const members = (text) => {
    try { const v = JSON.parse(text); if (!v || typeof v !== 'object' || Array.isArray(v)) return null; } catch { return null; }
    const out = {};
    let depth = 0, start = 0, name = null;
    const close = (end) => { if (name !== null) out[name] = text.slice(start, end).trim(); name = null; };
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (c === '"') {
        const from = i;
        for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
        if (depth === 1 && name === null) { name = JSON.parse(text.slice(from, i + 1)); start = text.indexOf(':', i) + 1; i = start - 1; }
      } else if (c === '{' || c === '[') depth++;
      else if (c === '}' || c === ']') { depth--; if (!depth) close(i); } else if (c === ',' && depth === 1) close(i);
    }
    return out;
  };

  const input = (f, value) => {
    const id = 'field-' + f.name, has = value !== undefined;
    let box;
    if (f.type === 'enum' || f.type === 'boolean') {
      const options = f.type === 'boolean' ? [true, false] : f.schema.enum;
      box = el('select', { id });
      box.append(el('option', { value: '' }, '(not there)'), ...options.map((o) => el('option', { value: JSON.stringify(o) }, typeof o === 'string' ? o : JSON.stringify(o))));
      box.value = has ? JSON.stringify(JSON.parse(value)) : '';
    } else if (f.type === 'json') { box = el('textarea', { id, rows: '3', class: 'code', spellcheck: 'false' }); box.value = has ? lay(value) : ''; }
    else { box = el('input', { id, type: 'text', inputmode: f.type === 'string' ? 'text' : 'decimal', autocomplete: 'off' }); box.value = has ? (f.type === 'string' ? JSON.parse(value) : value) : ''; }
    box.addEventListener('input', changed);
    f.box = box;
    return [el('label', { for: id }, f.name, f.required ? null : el('span', {}, ' may be left out'), f.schema.description ? el('span', { class: 'says' }, f.schema.description) : null), box];
  };

  const text = () => {
    if (!fields) return $('edit').value;
    const parts = [];
    for (const f of fields) {
      const v = f.box.value;
      if (v.trim() === '' && !(f.required && f.type === 'string')) continue;
      parts.push(JSON.stringify(f.name) + ':' + (f.type === 'string' ? JSON.stringify(v) : v.trim()));
    }
    return '{' + parts.join(',') + '}';
  };

  // editor shows a text, or a form where the schema is one and the value fits into it.
  const editor = (value, asForm) => {
    const list = form.kind === 'json_schema' && asForm ? schemaFields() : null, object = value.trim() ? members(value) : {};
    fields = list && object && Object.keys(object).every((k) => list.some((f) => f.name === k)) && list.every((f) => object[f.name] === undefined || f.type !== 'string' || object[f.name][0] === '"') ? list : null;
    $('fields').hidden = !fields; $('edit').hidden = !!fields;
    if (fields) $('fields').replaceChildren(...fields.flatMap((f) => input(f, object[f.name])));
    else { $('edit').value = form.kind === 'text' ? value : lay(value); $('edit').className = form.kind === 'text' ? '' : 'code'; }
    $('asjson').hidden = !schemaFields() || form.kind !== 'json_schema';
    $('asjson').firstChild.textContent = fields ? 'as JSON ' : 'as a form ';
  };
  const first = () => fields ? fields[0].box : $('edit');
  const lean = () => { const b = first(); b.focus({ preventScroll: true }); if (b.setSelectionRange) b.setSelectionRange(b.value.length, b.value.length); };

  // later: after the key's own character has gone where it goes, and not into the field.
  const later = (f) => setTimeout(f, 30);

  const chosen = (label) => rate({ text: label, modes });
  const mark = () => {
    found.forEach((b, i) => b.classList.toggle('here', form.labels.length > few && i === at));
    if (found[at] && form.labels.length > few) found[at].scrollIntoView({ block: 'nearest' });
  };
  const choices = (was) => {
    const typed = $('find').value.trim().toLowerCase(), many = form.labels.length > few;
    $('findrow').hidden = !many;
    let list = form.labels.map((label, i) => ({ label, n: i + 1 }));
    if (many && typed) list = /^\d+$/.test(typed) ? list.filter((o) => String(o.n).startsWith(typed)) : list.filter((o) => o.label.toLowerCase().includes(typed)).sort((a, b) => b.label.toLowerCase().startsWith(typed) - a.label.toLowerCase().startsWith(typed));
    found = list.map((o) => {
      const b = el('button', { type: 'button', class: 'choice' + (o.label === was ? ' was' : '') }, el('kbd', {}, String(o.n)), el('span', {}, o.label));
      b.addEventListener('click', () => { chosen(o.label); b.blur(); });
      b.dataset.label = o.label;
      return b;
    });
    at = Math.max(0, typed ? 0 : list.findIndex((o) => o.label === was));
    $('choices').replaceChildren(...found);
    $('choices').className = many ? 'many' : 'few';
    if (many && !found.length) $('choices').append(el('p', { class: 'none' }, 'no label has this in it'));
    mark();
  };
  const chips = () => {
    const on = form.modes && question.answers.length;
    $('modes').hidden = !on;
    if (!on) return;
    $('modelist').replaceChildren(...form.modes.map((m, i) => {
      const b = el('button', { type: 'button', class: 'chip', 'aria-pressed': String(modes.includes(m.name)), title: m.means }, i < few ? el('kbd', {}, '⇧' + (i + 1)) : null, m.name.replace(/_/g, ' '));
      b.addEventListener('click', () => { toggle(i); b.blur(); });
      return b;
    }));
  };
  const toggle = (i) => {
    const m = form.modes && form.modes[i];
    if (!m || !question.answers.length) return;
    modes = modes.includes(m.name) ? modes.filter((n) => n !== m.name) : form.modes.map((o) => o.name).filter((n) => n === m.name || modes.includes(n));
    chips(); changed();
    say(m.name.replace(/_/g, ' ') + (modes.includes(m.name) ? ': ' + m.means : ' taken off.'));
  };

  const typing = (e) => e.target instanceof HTMLTextAreaElement || e.target instanceof HTMLSelectElement || e.target instanceof HTMLInputElement && e.target.type === 'text';
  // key does what a key stands for and says whether it did; keys in a field belong to the field.
  const key = (e) => {
    if (!form || !question || document.querySelector('dialog[open]')) return false;
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) { if (form.kind !== 'labels') rate({ text: text(), modes }); e.preventDefault(); return true; }
    if (e.ctrlKey || e.metaKey || e.altKey) return false;
    const finding = e.target === $('find');
    if (typing(e) && e.key === 'Escape') { e.target.blur(); say('The keys act again; / goes back into the field.'); return true; }
    if (form.kind === 'labels' && form.labels.length > few && (finding || !typing(e))) {
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') { at = Math.max(0, Math.min(found.length - 1, at + (e.key === 'ArrowDown' ? 1 : -1))); mark(); e.preventDefault(); return true; }
      if (finding && e.key === 'Enter') { if (found[at] && $('find').value.trim()) chosen(found[at].dataset.label); else say('Type a number or a part of a label first.', 'bad'); e.preventDefault(); return true; }
    }
    if (typing(e)) return true;
    if (e.shiftKey && /^Digit[1-9]$/.test(e.code)) { toggle(Number(e.code.slice(5)) - 1); e.preventDefault(); return true; }
    if (e.key === 'g' || e.key === 'G') { if (form.guidelines) $('guide').showModal(); e.preventDefault(); return true; }
    if (e.key === '/' || e.key === 'e') { if (form.kind === 'labels' && form.labels.length > few) later(() => $('find').focus()); else if (form.kind !== 'labels') later(lean); e.preventDefault(); return true; }
    if (e.key === '=' && question.start !== undefined) { rate({ text: question.start, modes }); e.preventDefault(); return true; }
    if (e.key === 'j' && !$('asjson').hidden) { editor(text(), !fields); later(lean); e.preventDefault(); return true; }
    if (form.kind === 'labels' && form.labels.length <= few && e.key >= '1' && e.key <= String(form.labels.length)) { if (!e.repeat) chosen(form.labels[Number(e.key) - 1]); e.preventDefault(); return true; }
    return e.key >= '0' && e.key <= '9';
  };

  $('find').addEventListener('input', () => choices());
  $('edit').addEventListener('input', changed);
  $('save').addEventListener('click', () => rate({ text: text(), modes }));
  $('asis').addEventListener('click', () => { rate({ text: question.start, modes }); $('asis').blur(); });
  $('asjson').addEventListener('click', () => { editor(text(), !fields); lean(); });
  $('showguide').addEventListener('click', () => { $('guide').showModal(); $('showguide').blur(); });

  let loaded = false;
  const guidelines = async () => {
    if (loaded || !form.guidelines) return;
    loaded = true;
    const response = await fetch('guidelines', { cache: 'no-store' });
    const parsedPage = new DOMParser().parseFromString(await response.text(), 'text/html');
    parsedPage.querySelectorAll('a').forEach((a) => { a.target = '_blank'; a.rel = 'noopener noreferrer'; });
    $('guidetext').replaceChildren(...parsedPage.body.childNodes);
  };

  return {
    show(state, before) {
      form = state.form || null; question = state.question || null; fields = null; modes = [];
      const on = !!form && !!question;
      for (const id of ['choices', 'findrow', 'editor', 'modes']) $(id).hidden = true;
      $('showguide').hidden = !form || !form.guidelines; $('labelling').hidden = !on;
      if (!form) return;
      guidelines();
      if (!question) return;
      modes = (before.modes || []).slice();
      const list = form.kind === 'labels';
      $('choices').hidden = !list; $('editor').hidden = list; $('find').value = '';
      if (list) { choices(before.text); if (form.labels.length > few) $('find').focus({ preventScroll: true }); } else {
        $('asis').hidden = question.start === undefined;
        editor(before.text !== undefined ? before.text : question.start || '', true);
      }
      chips();
    },
    key,
    // begun is what a closed tab should not lose.
    begun: () => form && question && form.kind !== 'labels' ? { text: text(), modes } : modes.length ? { modes } : null,
    head: () => form && form.review ? 'Output' : 'Answer that was given',
    keys: () => !form ? [] : [...(form.kind === 'labels' ? form.labels.length <= few ? [['1 – ' + form.labels.length, 'the label']] : [['type', 'a number or a part of a label'], ['↑ ↓ Enter', 'choose it'], ['Esc', 'leave the field, so that keys act'], ['/', 'back into it']]
      : [['/ or e', 'into the field'], ['Ctrl+Enter', 'save'], ['Esc', 'leave the field, so that keys act'], ...(question && question.start !== undefined ? [['=', 'it is right as it is']] : []), ...($('asjson').hidden ? [] : [['j', 'form or JSON']])]),
      ...(form.modes ? [['Shift+1 – 9', 'failure modes of the answer']] : []), ...(form.guidelines ? [['g', 'guidelines']] : [])],
  };
};
