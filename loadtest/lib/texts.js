// Real text messages, one copy for all VUs.
import { SharedArray } from 'k6/data';

const texts = new SharedArray('sms', () =>
  open(import.meta.resolve('../data/sms.txt')).split('\n').filter(Boolean));

// What real texts are short of, and what breaks careless codecs: markup, white
// space at the ends, line ends, characters of two, three and four bytes.
const hard = [
  '<body>Fish & "chips" at 5 > 4?</body>',
  '  two\nlines\tand spaces at both ends  ',
  'Grüße, žluťoučký kůň, これは試験です, สวัสดี',
  'Meet me at the 🏖️ \u{1F468}\u200D\u{1F469}\u200D\u{1F467} \u2028 ]]> &amp; &#13;',
];

// text returns the text of the n-th message of a queue: always the same one, so
// that the receiver knows what it must be. `every` so many are hard ones; 0: none.
export function text(seed, n, every = 0) {
  if (every > 0 && n % every === 0) return hard[(n / every) % hard.length];
  return texts[(seed * 7919 + n) % texts.length];
}
