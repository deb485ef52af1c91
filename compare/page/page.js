(function () {
  'use strict';
  var all = function (selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); };
  var said = document.getElementById('said');

  // Copying. Where the clipboard is refused, the text is left selected for the keyboard.
  function select(node) {
    var range = document.createRange();
    range.selectNodeContents(node);
    var selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  function tell(button, text) {
    button.textContent = text;
    said.textContent = text;
    window.setTimeout(function () { button.textContent = 'copy'; said.textContent = ''; }, 2000);
  }
  function selectAndCopy(button, node) {
    select(node);
    var done = false;
    try { done = document.execCommand('copy'); } catch (e) { done = false; }
    tell(button, done ? 'copied' : 'selected');
  }
  all('button.copy').forEach(function (button) {
    var node = button.previousElementSibling;
    button.hidden = false;
    button.addEventListener('click', function () {
      if (!navigator.clipboard) { selectAndCopy(button, node); return; }
      navigator.clipboard.writeText(node.textContent).then(
        function () { tell(button, 'copied'); },
        function () { selectAndCopy(button, node); });
    });
  });

  // Filtering.
  var form = document.getElementById('filter');
  if (form) {
    var groups = all('.group');
    var selects = all('select', form);
    var shown = document.getElementById('shown');
    var apply = function () {
      var n = 0;
      groups.forEach(function (group) {
        group.hidden = selects.some(function (s) { return s.value !== '' && s.value !== group.dataset[s.dataset.by]; });
        if (!group.hidden) { n += all('.sample', group).length; }
      });
      shown.textContent = n.toLocaleString('en-US') + ' of ' + Number(shown.dataset.of).toLocaleString('en-US') + ' shown';
      document.getElementById('none-shown').hidden = n > 0;
    };
    form.hidden = false;
    form.addEventListener('change', apply);
    form.addEventListener('submit', function (e) { e.preventDefault(); });
    form.addEventListener('reset', function () { window.setTimeout(apply, 0); });
    // A link to samples that are filtered away shows them again.
    all('a[href^="#samples-"]').forEach(function (a) {
      a.addEventListener('click', function () {
        if (document.getElementById(a.getAttribute('href').slice(1)).hidden) {
          selects.forEach(function (s) { s.value = ''; });
          apply();
        }
      });
    });
    apply();
  }

  // On paper everything is open.
  var opened = [];
  window.addEventListener('beforeprint', function () {
    opened = all('details:not([open])');
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener('afterprint', function () {
    opened.forEach(function (d) { d.open = false; });
  });
})();
