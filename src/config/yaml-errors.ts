import type { ErrorCode } from 'yaml';

/**
 * Plain sentences for the errors of the YAML library. Its own messages quote what stands in the file, which may be a secret,
 * and speak of nodes and flow collections.
 */
const SENTENCES: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: 'a * begins the name of an anchor that is not in this file; put a text with * in quotes',
  BAD_DIRECTIVE: 'a % at the beginning of a line is for YAML itself; put the text in quotes',
  BAD_DQ_ESCAPE: 'this backslash means nothing inside of "double quotes"; use \'single quotes\'',
  BAD_INDENT: 'the indentation does not fit the lines above, or a bracket there is not closed',
  BAD_SCALAR_START: 'a value cannot begin with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a colon is where none can be; put a value with ": " in it in quotes',
  BLOCK_IN_FLOW: 'inside of brackets, everything has to be written in brackets',
  DUPLICATE_KEY: 'this key is there twice; keep one of the two',
  MISSING_CHAR:
    'something is missing here (a colon, a quote, a bracket, a comma), or the line is not indented like the ones above',
  MULTILINE_IMPLICIT_KEY: 'a key and its colon have to be in one line; perhaps the colon is missing',
  MULTIPLE_DOCS: 'a line of --- begins a second document; this file holds one',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'there is a tab where YAML wants spaces',
  UNEXPECTED_TOKEN:
    'something stands here that does not belong here; look at quotes, brackets and indentation',
};

/** What is wrong at this place, without quoting it. */
export function yamlErrorText(code: ErrorCode): string {
  return SENTENCES[code] ?? 'this is not YAML; look at indentation, quotes and colons';
}
