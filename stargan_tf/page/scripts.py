"""What the page does in the browser."""

# What gradio leaves open for the keyboard and for screen readers: it names all places for files alike, and gives each
# radio button a group of its own, in which arrow keys find no neighbour.
ON_LOAD = """() => {
  const name = () => {
    for (const [id, what] of [['source', 'Source image'], ['reference', 'Reference image']]) {
      const better = {'Click to upload or drop files': 'choose or drop a file', 'Clear': 'remove'};
      for (const old in better) {
        document.querySelector(`#${id} [aria-label="${old}"]`)?.setAttribute('aria-label', `${what}: ${better[old]}`);
      }
    }
    const domain = document.querySelector('#domain');
    domain?.setAttribute('role', 'radiogroup');
    domain?.setAttribute('aria-label', 'Domain');
    // Only the dialog is narrowed: what is dropped all the same gets a sentence.
    for (const input of document.querySelectorAll('input[type=file]')) input.accept = 'image/*';
    for (const radio of document.querySelectorAll('#domain input:not([name=domain])')) radio.name = 'domain';
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();
  document.addEventListener('input', (event) => {
    if (!event.target.closest('#between')) return;
    for (const style of document.querySelectorAll('#styles input')) style.checked = false;
  });
}"""

# On a phone the results are below everything that is chosen.
SHOW_RESULTS = """() => setTimeout(() => {
  const results = document.querySelector('#styles');
  if (results && results.getBoundingClientRect().top > 0.8 * window.innerHeight) results.scrollIntoView();
}, 100)"""

# Not "change", which does not fire when the clicked style was already selected before a mixture was shown.
SELECT = """element.addEventListener('click', (event) => {
  if (event.target.name === 'style') trigger('select', {index: Number(event.target.value)});
});"""
