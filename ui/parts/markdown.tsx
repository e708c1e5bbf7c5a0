import DOMPurify from 'dompurify';
import { Marked } from 'marked';
import { useEffect, useRef } from 'react';

/** More than this is shown as plain text: nobody reads it, and parsing it would block the page. */
const maxCharacters = 300_000;

/** Elements that raw HTML in a document may use, without any attribute. */
const bareElements = new Set(
  'b blockquote br code dd del details dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li ol p pre s samp strong sub summary sup table tbody td th thead tr ul'.split(
    ' ',
  ),
);

/** Elements that go with everything in them. */
const droppedWhole =
  /<!--[\s\S]*?(?:-->|$)|<(script|style|template|noscript|iframe|object|svg|math|textarea|title|xmp)\b[\s\S]*?(?:<\/\1\s*>|$)/gi;
const tag = /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:"[^"]{0,2000}"|'[^']{0,2000}'|[^>"']){0,2000})>?|</g;

const marked = new Marked({
  gfm: true,
  async: false,
  renderer: { html: ({ text }) => plainMarkup(text) },
});

/** Raw HTML before the sanitizer sees it: bare elements, links and the text of images; the rest is left out. */
function plainMarkup(text: string): string {
  return text
    .replace(droppedWhole, '')
    .replace(tag, (whole, slash: string | undefined, element: string | undefined, attributes: string | undefined) => {
      if (element === undefined) return '&lt;';
      const name = element.toLowerCase();
      if (bareElements.has(name)) return `<${slash}${name}>`;
      if (name === 'a')
        return slash === '/' ? '</a>' : `<a href="${escapeAttribute(attributeOf(attributes, 'href'))}">`;
      if (name === 'img') return escapeAttribute(attributeOf(attributes, 'alt'));
      return whole.endsWith('>') ? '' : ' ';
    });
}

function attributeOf(attributes: string | undefined, name: string): string {
  const found = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(attributes ?? '');
  return found?.[1] ?? found?.[2] ?? found?.[3] ?? '';
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

interface MarkdownProps {
  readonly text: string;
  /** Makes addresses inside the repository lead to its pages; `undefined` leaves the link out. */
  readonly resolveLink: (address: string) => string | undefined;
}

/**
 * Text that others wrote, as a document. Raw HTML is cut down to bare elements, everything passes DOMPurify, and what
 * comes out is put in as nodes. Images of other hosts are not loaded (they would tell who reads): a link stands in their place.
 */
export default function Markdown({ text, resolveLink }: MarkdownProps) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (text.length > maxCharacters) box.current?.replaceChildren(text);
    else box.current?.replaceChildren(render(text, resolveLink));
  }, [text, resolveLink]);
  return <div className="markdown" ref={box} />;
}

function render(text: string, resolveLink: MarkdownProps['resolveLink']): DocumentFragment {
  const content = DOMPurify.sanitize(marked.parse(text) as string, {
    RETURN_DOM_FRAGMENT: true,
    ALLOWED_TAGS:
      'a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img input ins kbd li ol p pre s samp span strong sub summary sup table tbody td th thead tr ul'.split(
        ' ',
      ),
    ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'align', 'start', 'type', 'checked', 'open', 'colspan', 'rowspan'],
    ALLOW_DATA_ATTR: false,
    ALLOWED_URI_REGEXP:
      /^(?:https?:|mailto:|data:image\/(?:png|gif|jpeg|webp);base64,|[^a-z]|[a-z+.-]+(?:[^a-z+.\-:]|$))/i,
  });

  for (const image of content.querySelectorAll('img')) {
    const source = image.getAttribute('src') ?? '';
    if (source.startsWith('data:image/')) continue;
    const link = document.createElement('a');
    link.setAttribute('href', source);
    link.textContent = image.alt === '' ? source : image.alt;
    // An image that is itself a link stays one link.
    if (image.closest('a')) image.replaceWith(link.textContent);
    else image.replaceWith(link);
  }
  for (const link of content.querySelectorAll('a')) {
    const address = link.getAttribute('href') ?? '';
    if (address.startsWith('#')) link.removeAttribute('href');
    else if (/^(https?:|mailto:)/i.test(address)) link.rel = 'noreferrer noopener nofollow ugc';
    else {
      const inside = resolveLink(address);
      if (inside === undefined) link.removeAttribute('href');
      else link.setAttribute('href', inside);
    }
  }
  for (const box of content.querySelectorAll('input')) {
    // Task lists: shown, not to be clicked.
    if (box.type !== 'checkbox') box.remove();
    else {
      box.disabled = true;
      box.setAttribute('aria-label', box.checked ? '✓' : '✗');
    }
  }
  // The page has its own h1; a document's headings begin below it.
  for (const heading of content.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const lower = document.createElement(`h${Math.min(6, Number(heading.tagName[1]) + 1)}`);
    lower.append(...heading.childNodes);
    heading.replaceWith(lower);
  }
  for (const wide of content.querySelectorAll('pre, table')) {
    wide.setAttribute('tabindex', '0');
    if (wide.tagName === 'TABLE') {
      const scroller = document.createElement('div');
      scroller.className = 'scroll';
      wide.replaceWith(scroller);
      scroller.append(wide);
      wide.removeAttribute('tabindex');
      scroller.setAttribute('tabindex', '0');
    }
  }
  return content;
}
