/** How secrets look in log lines and command lines. Every repetition is bounded: an unbounded one takes quadratic time. */

type Pattern = [RegExp, string];

/**
 * Patterns that match in no text without `when`. Most texts hold no secret, and Node keeps the machine code of every pattern that was
 * tried twice: 0.5 MB for these.
 */
type Family = { when: RegExp; patterns: readonly Pattern[] };

/** What a setting, a field or a flag with a secret is called. "pass" is one, "bypass" and "compass" are not. */
const SECRET_WORD =
  '(?:pass[ _-]?(?:word|code|phrase)(?:[ _-]?hash)?|(?<!ch|ht)passwd|passwort|kennwort|mot de passe|contrase(?:\u00f1|n)a|senha|(?<!by|com)pass|pwd|' +
  // The same in other languages: cs/sk, da, el, fi, hu, it/ro/tr, ja, ko, nb, nl, pl, ru/uk, sv, tr, zh.
  'heslo|adgangskode|\u03ba\u03c9\u03b4\u03b9\u03ba\u03cc\u03c2|salasana|jelsz\u00f3|(?<![a-z])parol[ae\u0103]|\u30d1\u30b9\u30ef\u30fc\u30c9|\ube44\ubc00\ubc88\ud638|passord|wachtwoord|' +
  'has\u0142o|\u043f\u0430\u0440\u043e\u043b\u044c|l\u00f6senord|\u015fifre|\u5bc6[\u7801\u78bc]|' +
  '(?<![a-z])(?:bind|root)?pw|(?<![a-z])psk|(?<![a-z])cv[vc]|' +
  'secret(?:[ _-]?(?:access[ _-]?)?key(?:[ _-]?base)?)?|token(?:[ _-]?secret)?|credential|otp[ _-]?code|(?<![a-z])otp|' +
  '(?:api|access|private|encryption|signing|master|auth|app|account|shared|license|instrumentation|session|cookie|hmac|jwt|webhook)[ _-]?key|' +
  'SharedAccessSignature|X-(?:Amz|Goog)-Signature|(?<![a-z])sig|phpsessid|jsessionid|connect\\.sid|csrf|xsrf)s?';
/**
 * What stands between the name and the value: `=`, `": "`, `\": `, `=>`, `->`, `:=`, `==`, `[]=`, `">` of XML, the quotes of HTML,
 * JavaScript and URLs; then a tag or a block of YAML, the brackets of a list, the `b` of Python's `b'...'`.
 */
const QUOTE_BY_CODE = String.raw`(?:&(?:quot|apos|#3[49]);|%(?:25)?2[27]|\\u002[27])`;
const TO_VALUE = String.raw`(?:(?:\\{0,3}["'\x60]|${QUOTE_BY_CODE})?\[?\]?\s{0,4}(?:[=:\uff1a]=?>?|[-=\u2013]?->|[\u2192\u2026]|%(?:25)?3[AD])\s{0,4}(?:!\w{1,20}\s{1,4}|string\(\d{1,4}\)\s{1,2})?(?:[|>][+-]?\s{1,40})?(?:[[(]\s{0,4}|(?<==)[{<]|-\s{1,4})?(?:[bfru]{1,2}(?=["']))?|(?:\s[\w:.-]{1,40}="[^"]{0,80}")?>(?:<!\[CDATA\[)?)`;
/** Not a value but a word about it, or a count of tokens. */
const NO_VALUE = String.raw`(?!\$\d{1,2}(?!\w))(?!tests?[_./-])(?!(?:null|nil|true|false|none|undefined|required|missing|incorrect|invalid|expired|empty|not|must|is|was|cannot|unexpected|no|yes|ok|refused|rejected|denied|unset|set|wrong|unchanged|password|bcrypt|scram-sha-256)\b(?![-_.!$]))`;
const NO_COUNT = String.raw`(?<!(?:token|key|secret|password|credential)s${TO_VALUE})`;
/** What has only a blank, a slash or its place in the line before it must look like a secret: with a digit in it. */
const LIKE_ONE = String.raw`(?=[^\s"'\x60]{0,64}\d)[^\s"'\x60]{4,256}`;
/** A letter and a digit, and not a path, a file, an address or a version. */
const MIXED = String.raw`(?=[^\s"'\x60]{0,64}\d)(?=[^\s"'\x60]{0,64}[a-z])(?!v\d|utf|x86|\d+[a-z]{1,3}\b)[^\s"'\x60/:@,;()[\]<>|]{6,256}(?![/:@.\w])`;
/** What nobody would call a thing: a capital or a sign, a small letter and a digit, no path, no port. */
const MADE_UP = String.raw`(?=[^\s"']{0,64}\d)(?=[^\s"']{0,64}[a-z])(?=[^\s"']{0,64}[A-Z!@#$%^&*?~])[^\s"'/:]{8,256}(?![/:])`;

/** What stands between the name of a secret and the secret; `before` and `name`: where only after these. */
type AfterName = { before?: RegExp; name?: RegExp; after: RegExp };

/** After the name: what stands between, the value. `$` in the value is the end of a line. */
function afterName(between: string, value: string, only: Omit<AfterName, 'after'> = {}): AfterName {
  return { ...only, after: new RegExp(`(${between})${value}`, 'imy') };
}

/** The first that fits counts. */
const AFTER_NAME: readonly AfterName[] = [
  // A quoted value may hold blanks, and escaped quotes unless its own are; one without ends at what cannot belong to it.
  afterName(String.raw`${TO_VALUE}\\{1,3}"`, String.raw`[^"\\]{1,512}`),
  afterName(String.raw`${TO_VALUE}(?:"${'"'}"|''')`, String.raw`[^"']{1,512}`),
  afterName(`${TO_VALUE}"`, String.raw`(?:\\[^]|[^"\\]){1,512}`),
  afterName(`${TO_VALUE}'`, String.raw`(?:\\[^]|[^'\\]){1,512}`),
  afterName(TO_VALUE + QUOTE_BY_CODE, String.raw`[^\s"'%&\\<>]{1,512}`),
  afterName(`${TO_VALUE}\x60`, String.raw`[^\x60]{1,512}`),
  afterName(
    TO_VALUE,
    String.raw`${NO_VALUE}(?:(?!\d{1,9}\b)|${NO_COUNT})(?![)\]}]{1,3}(?:[\s,;.]|$)|(?<=:\s{0,4})\{|\[\s{0,4}\d{1,9}\b)[^\s"'\x60,;&\\<>][^\s"'\x60,;&<>]{0,512}`,
    // "There is no bot token: alerts go to the log only."
    { before: /(?<!\bno (?:[a-z]{1,10} )?)$/i },
  ),
  // --password x, requirepass x.
  afterName(
    String.raw`\s{1,4}`,
    String.raw`(?!(?:and|are|argument|as|can|cannot|flag|for|given|has|if|in|instead|is|may|missing|must|needs|not|on|option|or|parameter|requires?|should|to|was|when|will|with|without)(?![\w-]))(?:"[^"]{1,256}"|'[^']{1,256}'|[^\s"'-][^\s"']{0,512})`,
    {
      before: /(?:(?<!\w)--?[a-z0-9.-]{0,40}|require|master)$/i,
    },
  ),
  // {"name": "DB_PASSWORD", "value": "x"}, its YAML, <property name="password" value="x">, <entry key="password">x<.
  afterName(
    String.raw`\w{0,16}\\?["']?\s{0,4}(?:,\s{0,40}|\s{1,40})\\?["']?value\\?["']?\s{0,4}[=:]\s{0,4}(?:\\?["'])?`,
    String.raw`[^\s"'<>,\\]{1,512}`,
  ),
  afterName(`["'][^<>]{0,64}>`, String.raw`[^\s<>]{1,512}`, { before: /(?:name|key)=["'][\w.-]{0,64}$/i }),
  // "requirepass" "x" of Redis' MONITOR, ('password', 'x'), password;x.
  afterName('" "', '[^"]{1,256}', { before: /"require$/i }),
  afterName(String.raw`["'](?:\s{0,4},\s{0,4}|\s{1,4})b?["']`, LIKE_ONE, { before: /["'][\w.-]{0,32}$/ }),
  afterName(String.raw`(?:;|\s{0,8}\|\s{0,8})`, MIXED),
  // setPassword("x"), PASSWORD('x'), SecretStr('x'), OPTIONS (password 'x').
  afterName(String.raw`\(["']`, `[^"']{1,256}`, { before: /(?<!re)(?:set|with|use)_?$/i }),
  afterName(String.raw`\w{0,12}(?:\.\w{1,12})?\s?\(["']?`, MIXED, { before: /(?<!reset_?)$/i }),
  afterName(
    String.raw` (?:["'\x60](?!\w{1,20}["'\x60]\s{1,4}\w)|[[(<])`,
    String.raw`[^\s"'\x60\])>]{4,256}`,
    { name: /^pass(?:word|wd|phrase)?$/i },
  ),
  afterName(String.raw` ["'\x60]`, MIXED, { name: /^pass/i }),
  afterName(String.raw` (?:["'\x60](?![a-z]{1,32}-)|[[(<])`, MIXED, { before: /(?<!unexpected )$/i }),
  // DB_PASS x; and without a digit in it where nothing else is in the line.
  afterName(String.raw`\s{1,8}(?!(?:auth|for|of|on|to|in)\b|(?<=secret\s{1,8})[a-z]{1,32}-)`, MIXED),
  afterName(String.raw`[ \t]{1,8}`, String.raw`${NO_VALUE}[^\s"'=]{4,256}(?=[ \t]{0,8}$)`, {
    before: /^\s{0,16}(?:(?:ENV|ARG|export|setenv|set|set -g?x)\s{1,4})?(?:[A-Z][A-Z0-9]{0,30}_)+$/m,
  }),
  // Password for 'https://bob@github.com': x; a temporary password is generated for root@localhost: x.
  afterName(String.raw`\b(?: for ["'][^"'\n]{1,100}["']|[^:\n=]{0,80}):\s{1,4}`, MIXED, {
    name: /^password$/i,
  }),
  afterName(
    String.raw`\s{1,4}(?:"[^"]{1,64}"\s{1,4}|\S{1,64}\s{1,4})?["']?`,
    String.raw`[^\s"']{4,256}(?!\s{1,4}["']?\S)`,
    { before: /\b(?:wpa_|auth-)$/i },
  ),
];
const NAME = new RegExp(SECRET_WORD, 'gi');
/** So much before a name is looked at. */
const BEFORE_NAME = 128;

/** Masks what stands behind the name of a secret. One look for names, for their pattern is large: there are many languages. */
function maskNamed(text: string): string {
  let masked = '';
  let done = 0;
  for (const { 0: found, index } of text.matchAll(fresh(NAME))) {
    if (index < done) continue;
    const end = index + found.length;
    const before = text.slice(Math.max(done, index - BEFORE_NAME), index);
    for (const { before: wanted, name, after: pattern } of AFTER_NAME) {
      if (wanted?.test(before) === false || name?.test(found) === false) continue;
      const after = fresh(pattern);
      after.lastIndex = end;
      const between = after.exec(text)?.[1];
      if (between === undefined) continue;
      masked += `${text.slice(done, end)}${between}***`;
      done = after.lastIndex;
      break;
    }
  }
  return masked + text.slice(done);
}

/** A word after blanks, in quotes or not. */
const ARGUMENT = String.raw`(?:"[^"]{1,256}"|'[^']{1,256}'|[^\s"'|;&]{1,256})`;
/** Programs that take a secret behind a flag that does not say so. */
const COMMANDS: Pattern[] = [
  ['(?:redis|valkey|keydb)-(?:cli|benchmark)', String.raw`-a\s{1,4}`],
  ['(?:unrar|rar)', String.raw`-h?p(?=\S)`],
  ['openssl', String.raw`-(?:k|K)\s{1,4}`],
  ['snmp[a-z]{2,10}', String.raw`-[AXc]\s{1,4}`],
  ['(?:mysql|mariadb)[a-z-]{0,12}', String.raw`-p(?=\S)`],
  [
    '(?:mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport|sshpass|useradd|usermod|7z|login|cqlsh|cypher-shell|beeline|iredis|ncftp[a-z]{0,5})',
    String.raw`-p\s{0,4}`,
  ],
  ['(?:sqlcmd|bcp|isql|zip|unzip|tsql|ipmitool)', String.raw`-P\s{0,4}`],
  ['(?:ldap[a-z]{3,10}|pg_dump|kinit|mosquitto_(?:pub|sub))', String.raw`-[wP]\s{1,4}`],
].map(([program, flag]) => [
  new RegExp(String.raw`(\b${program}\b(?:\s[^\n|;&]{0,200}?)?\s${flag})${ARGUMENT}`, 'g'),
  '$1***',
]);

/** Tokens that are known by how they begin; then whatever is as long and as mixed as only made-up text is. */
const TOKENS = [
  String.raw`eyJ[A-Za-z0-9_-]{10,512}\.[A-Za-z0-9_-]{1,2048}(?:\.[A-Za-z0-9_-]{0,512})?`, // JWT
  String.raw`(?:sk|pk|rk|gh[opsru]|github_pat|xox[a-z]|xapp|glpat|gldt|glrt|glptt|glsa|glc|npm|pypi|dckr_pat|dckr_oat|hf|gsk|xai|pplx|r8|sbp|whsec|shp[a-z]{2}|dop_v1|doo_v1|dor_v1|lin_api|ntn|tskey|PMAK|NRAK|figd|fm2|rnd|re|sntry[a-z]|pscale_tkn|CFPAT|GOCSPX|sq0[a-z]{3}|EAAA|ATATT3x|ATCTT3x|pat|key|nvapi|ops|tfp|rubygems|oy2|phx|napi|vercel|sbs)[-_][A-Za-z0-9][A-Za-z0-9_=.-]{15,512}`,
  String.raw`(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}`,
  String.raw`AIza[A-Za-z0-9_-]{30,40}`,
  String.raw`SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}`,
  String.raw`hv[sbr]\.[A-Za-z0-9_-]{20,512}`,
  String.raw`ya29\.[A-Za-z0-9_-]{20,512}`,
  String.raw`1//0[A-Za-z0-9_-]{20,256}`,
  String.raw`SK[0-9a-f]{32}`,
  String.raw`dapi[0-9a-f]{32}`,
  String.raw`[0-9a-f]{32}-us\d{1,2}`,
  String.raw`AGE-SECRET-KEY-1[0-9A-Z]{20,80}`,
  // Not the fingerprint of a public key.
  String.raw`(?<!SHA256:)(?=[A-Za-z]{0,64}\d)(?=[A-Z0-9]{0,64}[a-z])(?=[a-z0-9]{0,64}[A-Z])[A-Za-z0-9]{32,512}(?:[+/][A-Za-z0-9+/]{0,512})?={0,2}`,
].map((token): Pattern => [
  new RegExp(String.raw`(?<![A-Za-z0-9_])(?:${token})(?![A-Za-z0-9_])`, 'g'),
  '***',
]);

/**
 * After "password" and a blank, a word of letters alone is a password or the next word of a sentence. These are of sentences, and so is
 * what ends like a participle, an adverb or an abstract noun.
 */
const NO_PROSE = String.raw`(?!(?:again|algorithm|also|argument|attempts?|auth|back|been|before|below|above|both|bucket|button|callback|cannot|changes?|checks?|class|column|configured|contains|cookie|correct|could|count|data|database|days|does|each|email|empty|endpoint|engine|entry|errors?|exceeds|exists|expir(?:es|y)|failures?|fields?|file|first|flag|flow|form|format|from|function|generator|given|grant|handler|hash(?:es)?|have|header|here|hidden|hint|history|hook|host|incorrect|index|input|instead|invalid|item|keys?|known|last|later|length|lifetime|limit|links?|list|lock|login|lookup|managers?|match(?:es)?|method|mismatch|mode|module|must|name|needs|never|next|notice|once|only|options?|over|page|pair|parameters?|path|please|policy|prompt|provider|reads?|refresh|remains|requests?|requires?|resets?|retry|rules?|same|scheme|scope|seen|sent|server|service|session|should|spec|status|step|storage|stores?|strength|string|succeeds|success|support|table|template|than|that|then|this|tomorrow|today|twice|types?|unchanged|under|unknown|update|used?|users?|utils?|vaults?|value|values|variables?|view|volumes?|warning|weak|were|when|where|while|will|with|without|worked|works|would|wrong|yet)(?![\w-])|[a-z]{1,24}(?:ed|ing|tion|ment|ness|less|ence|able|ible|ful|ly|ion|ity|ance|ency|ization)s?(?![\w-]))`;
const LETTERS = String.raw`${NO_PROSE}[A-Za-z][A-Za-z!@#$%^&*?~+-]{3,63}`;
const PASSWORD = '(?:pass(?:word|wd|phrase|code)|pwd)';
/** A keyword that announces a value, which has letters alone. */
const ANNOUNCED: readonly Pattern[] = [
  // password x, and with what commonly stands before it; at the end of a line.
  String.raw`(?:^[ \t]{0,16}|\b(?:with|using|and|new|old|default|temporary|initial|current|root|admin|my|your|the|set|psql|connect [^\s,;]{1,64}|(?:user(?:name)?|login|account)[ =:]{1,2}[^\s,;]{1,64}),?[ \t]{1,4})${PASSWORD}[ \t]{1,4}["'\x60]?(?=\S{4,66}[ \t]{0,8}$)`,
  // With password x for bob; user bob password x host db.
  String.raw`\b(?:with|using|user(?:name)?[ =:]{1,2}[^\s,;]{1,64}) ${PASSWORD}[ \t]{1,4}(?![^\s]{1,64}[=:])`,
  String.raw`\b(?:your|the|my|new|root|admin|temporary|initial|default) ${PASSWORD} is[ \t]{1,4}["'\x60]?(?=\S{4,66}[ \t]{0,8}$)`,
  String.raw`\b${PASSWORD} (?:is|was)[ \t]{1,4}["'\x60](?=[^\s"'\x60]{4,64}["'\x60])`,
  // db_password x, API_TOKEN x, PGPASSWORD x, token x alone.
  String.raw`(?:(?:^|\s)(?:[a-z][a-z0-9]{0,30}[_-]){1,4}(?:${PASSWORD}|token|secret|key)|^[ \t]{0,16}(?:token|secret|api[ _-]?key)|(?:^|\s)[a-z]{2,5}password)[ \t]{1,4}["'\x60]?(?=\S{4,66}[ \t]{0,8}$)`,
].map((before): Pattern => [new RegExp(`(${before})${LETTERS}(?![\\w-])`, 'gim'), '$1***']);

const WITHOUT_SIGN: Pattern[] = [
  // Directives of OpenLDAP, Redis, Squid, a switch; netrc; a user in redis.conf.
  ...[
    String.raw`\b(?:bindpw|rootpw|masterauth"?|proxy_password|snmp-server community|(?:login|account) \S{1,128}\s{1,4}password(?=\s{1,4}${NO_PROSE}))\s{1,4}["']?`,
    String.raw`\buser \S{1,64} (?:on|off|[+&~]\S{1,64})[^\n>]{0,100}?\s>`,
    String.raw`\bpdftk\b[^\n|;]{0,200}?(?:input|owner|user)_pw\s{1,4}`,
    String.raw`\bmc alias set \S{1,64} \S{1,256} \S{1,128}\s{1,4}`,
  ].map((before): Pattern => [new RegExp(`(${before})[^\\s"']{1,256}`, 'g'), '$1***']),
  ...[
    String.raw`\b(?:with|using)\s{1,4}(?:password|passphrase|token)\s{1,4}["'\x60]?`,
    String.raw`\b(?:password|passphrase|passcode)(?:\s{1,4}(?:for|of)\s[^\n:]{1,80}|\s{1,4}is):\s{1,4}`,
    String.raw`\b(?:secret[ _-]key[ _-]base|(?:bot|access|api|auth)[ _-]?(?:token|key))\s{1,4}(?=[A-Za-z0-9]\S{5})`,
    String.raw`\b(?:basic[_-]?auth|credentials?)["']?\s{0,4}[=:]?\s{0,4}["']?[^\s:/"']{1,64}[:/]`,
    String.raw`(?:\b|_)auth\s{0,4}[=:]\s{0,4}["']?(?=\S{6})`,
    String.raw`\bvault login\s{1,4}`,
    String.raw`\b(?:sqlplus|sqlldr|expdp|impdp|rman)\b[^\n|;]{0,80}?\s[A-Za-z0-9_$]{1,64}\/`,
    String.raw`\blftp\b[^\n|;]{0,80}?\s-u\s{1,4}["']?[^\s,"']{1,64},`,
    // IMAP as it is spoken.
    String.raw`(?<!\S)(?:[a-z]\d{0,6}|\.|imap) LOGIN \S{1,128} ["']?`,
    String.raw`\bAUTH (?:PLAIN|LOGIN)\s{1,4}`,
    String.raw`\b(?:auth|login|credentials?|\w{0,16}crypt)\w{0,8}\s{0,4}=?\s{0,4}\((?:["']?[\w.@-]{0,64}["']?,\s{0,4})?["']`,
    String.raw`\b(?:login|credentials?):?\s{1,4}[\w.@-]{1,64}\s?\/\s?`,
    String.raw`"AUTH" (?:"[\w-]{1,64}" )?"`,
    String.raw`["']auth["']:\s{0,4}["'](?=\S{8})`,
    String.raw`\b(?:token|api[ _-]?key|secret)\b(?: to (?:log ?in|join|enroll)| provided| id):\s{1,4}`,
    String.raw`\bPIN(?: for [^\n:]{1,80})?:\s{1,4}`,
    String.raw`(?<!\S)\/user:\S{1,64}\s{1,4}`,
    String.raw`\biwconfig \S{1,32} key\s{1,4}`,
  ].map((before): Pattern => [new RegExp(`(${before})${LIKE_ONE}`, 'gi'), '$1***']),
  // POP3 and FTP; of a test runner's lines, which have a path there, nothing.
  [/((?:^|[<>] )\s{0,8}PASS )(?!\S{0,256}[./])\S{1,256}/gm, '$1***'],
  // A line of .pgpass.
  [
    /^(\s{0,8}[\w.*-]{1,255}:(?:\d{1,5}|\*):[^:\s]{1,63}:[^:\s]{1,63}:)(?=[^:\s]{0,255}[A-Za-z])[^\s:]{1,256}$/gm,
    '$1***',
  ],
  [
    /(\b(?:echo|printf)\s{1,4}(?:-n\s{1,4}|["']?%s["']?\s{1,4})?["']?)[^\s"'|]{1,256}(?=["']?\s{0,4}\|\s{0,4}(?:sudo\b[^|\n]{0,40}-S|(?:docker|podman) login|passwd))/g,
    '$1***',
  ],
  [
    new RegExp(String.raw`((?<![\w/.-])(?:admin|root|guest|administrator)(?: \/ |:|\/))${MIXED}`, 'gi'),
    '$1***',
  ],
  // A line of PgBouncer's userlist; a row with a password in it.
  [/^("[^"\n]{1,64}" ")[^"\n]{1,512}(?="\s{0,4}$)/gm, '$1***'],
  [
    /(\binsert into [^()]{1,128}\([^()]{0,256}?(?:pass|secret|token|hash)[^()]{0,256}\)\s{1,8}values\s{0,4}\()[^)\n]{1,512}/gi,
    '$1***',
  ],
  [/(<<<\s{0,4}["']?(?:[\w.-]{1,64}:)?)[^\s"']{1,256}/g, '$1***'],
];

/** Names that may be harmless: their value must look like a secret. */
const WEAK_NAMES = String.raw`(?:[?&]|(?<![\w-]))(?:key|code|signature|hmac)=|(?<![a-z])(?:pin|puk)["']?\s{0,4}[=:]\s{0,4}|(?<![A-Za-z])[A-Z][A-Z0-9_]{0,40}_(?:KEY|SK|PIN|ROLE)["']?\s{0,4}[=:]\s{0,4}|--?key[\s=]{1,4}|\b(?:pass|access|accessToken|recovery|unseal|licen[cs]e|activation|product|ssh|rsa|service|anon|backup|preshared|pre-shared)[ _-]?(?:key|code)(?:[ _-]?id)?s?(?: \d{1,2})?["']?\s{0,4}[=: ]\s{0,4}|(?:(?<![a-z])sid|session[ _-]?id|[a-z]_session|jwt|bearer|salt|pepper|pwd_?hash|refresh|assertion|verifier|SAMLResponse|(?:device|user)_code)["']?\s{0,4}[=: ]\s{0,4}`;
const WEAK_NAME = new RegExp(String.raw`${WEAK_NAMES}|\bcode|mnemonic|seed[ _-]`, 'i');
const WEAK: readonly Pattern[] = [
  [new RegExp(String.raw`(${WEAK_NAMES})(["'\x60]?)(?!sha\d|[0-9a-f]{8}-)${MIXED}`, 'gi'), '$1$2***'],
  // Codes that are numbers.
  [
    /\b((?:(?:verification|security|confirmation|recovery|activation|backup|login|sms|2fa|mfa|otp|pairing)[ _-]?codes?(?: is)?|pin|puk)["']?\s{0,4}[=: ]\s{0,4}["']?)(?:(?=[\d-]{0,8}\d{3})\d[\d-]{3,11}|(?=\S{0,32}\d)(?=\S{0,32}[a-z])[\w!@#$%^&*?-]{6,32})(?![.\w])/gi,
    '$1***',
  ],
  [
    /\b((?:mnemonic|seed[ _-]?(?:phrase|words))["']?\s{0,4}[=:]\s{0,4}["']?)(?:[a-z]{2,12}[ ,]{1,2}){5,24}[a-z]{2,12}/gi,
    '$1***',
  ],
];

/** Hashes of passwords, as /etc/shadow, htpasswd, LDAP, PostgreSQL and MySQL write them: they can be guessed against. */
const HASHES: readonly Pattern[] = [
  [
    /\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]{0,12}|bcrypt[\w-]{0,12}|sha1|P|H)\$[^\s:"']{8,512}/g,
    '$***',
  ],
  [/\{S?(?:SHA|MD5)\d{0,3}\}[A-Za-z0-9+/=]{8,256}/g, '***'],
  [/\bSCRAM-SHA-\d{1,3}\$[^\s"']{8,512}/g, '***'],
  [/(?<=\son )#[0-9a-f]{64}\b|\bmd5[0-9a-f]{32}\b|\*[0-9A-F]{40}\b/g, '***'],
];

const AUTHORIZATION = String.raw`\b(?:proxy-)?authorization\\?["']?\]?\s{0,4}[=:]\s{0,4}\[?\s{0,2}\\?["']?`;

/** In the order in which they are applied. */
const FAMILIES: readonly (Family | 'names')[] = [
  {
    when: /PRIVATE KEY|hook|:\\?\/\\?\/|@(?:tcp|unix)\(|@[\w.-]{1,255}[:/]|authorization|cookie|^\s{0,8}[A-Za-z0-9+/]{60}/im,
    patterns: [
      [
        /(-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)(?:[^]{1,16384}?(?=-----END)|[^]{1,16384})/g,
        '$1***',
      ],
      // A line of a PEM file by itself.
      [/^\s{0,8}(?=\S{0,76}[A-Z])(?=\S{0,76}[a-z])(?=\S{0,76}\d)[A-Za-z0-9+/]{60,76}={0,2}\s{0,4}$/gm, '***'],
      [/(hooks\.slack\.com\\?\/(?:services|workflows|triggers)\\?\/)[^\s"'<>]{1,256}/gi, '$1***'],
      [/(discord(?:app)?\.com\\?\/api\\?\/webhooks\\?\/\d{1,24}\\?\/)[^\s"'<>]{1,256}/gi, '$1***'],
      // Addresses that are the secret themselves: who knows one may post there.
      [
        /((?:webhook\.office\.com\\?\/webhookb2|outlook\.office(?:365)?\.com\\?\/webhook|hooks\.zapier\.com\\?\/hooks\\?\/catch\\?\/\d{1,12}|maker\.ifttt\.com\\?\/[^\s"'<>]{1,100}\\?\/key|\\?\/bot\\?\/v2\\?\/hook|hc-ping\.com|hook\.[a-z0-9.]{1,20}(?:make|integromat)\.com)\\?\/)[^\s"'<>]{6,512}/gi,
        '$1***',
      ],
      // The password of a URL may hold @ and /; digits up to a slash are a port.
      [/(:\\?\/\\?\/[^\s:/@[\\"']{0,128}(?::|%3A))(?!\d{1,5}(?:[/?#,;)\\]|$))[^\s"'<>]{1,512}@/gi, '$1***@'],
      [/(:\\?\/\\?\/)[A-Za-z0-9_-]{20,256}@/g, '$1***@'],
      // Without a scheme: `user:password@host:5432/db`, `//user:password@host`; not a digest of an image, nor the version of a package.
      [
        /(?<![^\s"'=@/])((?:\/\/)?(?!(?:mailto|sips?|xmpp|acct|npm|alias|pkg|workspace):)[\w.-]{1,64}:)[^\s"'/@:]{4,256}@(?!sha\d|\d+\.\d+\.\d+(?!\.\d))(?=[\w.-]{1,255}(?::\d|\/))/gi,
        '$1***@',
      ],
      [/(:thin:[\w$]{1,64}\/)[^\s"'@]{1,256}@/g, '$1***@'],
      // A data source name of Go's MySQL driver.
      [/(?<![^\s"'=])([\w.-]{1,64}:)[^\s"']{1,256}@(?=(?:tcp|unix)\()/g, '$1***@'],
      // Digest, OAuth, AWS4 and others carry fields: all that follows. Else the scheme and the one word behind it.
      [
        new RegExp(String.raw`(${AUTHORIZATION})[a-z0-9-]{1,24}[^\S\n]{1,4}[a-z_]{1,40}=[^\n]{1,1024}`, 'gi'),
        '$1***',
      ],
      [new RegExp(String.raw`(${AUTHORIZATION})[a-z]{1,20}[^\S\n]{1,4}[^\s"',;&\]]{1,512}`, 'gi'), '$1***'],
      [new RegExp(String.raw`(${AUTHORIZATION})[^\s"',;&]{1,512}`, 'gi'), '$1***'],
      [
        /\b((?:set-)?cookie2?\\?["']?(?::\s{0,4}|=|\s{1,4}(?=["']))\[?\s{0,4}\\?["']?)[^\s"'=]{1,128}=[^\n"']{1,1024}/gi,
        '$1***',
      ],
    ],
  },
  'names',
  {
    when: /bearer|basic/i,
    patterns: [
      [
        /\b(bearer|basic)[^\S\n]{1,4}(?!(?:functionality|authentication|authorization|information)\b)[a-z0-9._~+/=-]{8,512}/gi,
        '$1 ***',
      ],
    ],
  },
  { when: WEAK_NAME, patterns: [...WEAK] },
  { when: /\$|\{S|SCRAM|md5|\*[0-9A-F]{40}/, patterns: [...HASHES] },
  {
    when: /(?<!\S)[-/]/,
    patterns: [
      ...COMMANDS,
      [
        new RegExp(
          String.raw`(\b(?:curl|wget|http|https|xh|ftp|lftp)\b[^\n|;]{0,200}?\s(?:-u|--user|--proxy-user|-U|-a|--auth|-x|-E|--cert)[\s=]{0,4}["']?[^\s:"'/]{1,128}:)(?!\d{1,5}(?:[\s"']|$))[^\s"']{1,256}`,
          'g',
        ),
        '$1***',
      ],
      [/(\bcurl\b[^\n|;]{0,200}?\s(?:-b|--cookie)[\s=]{1,4}["']?[^\s"'=]{1,128}=)[^\n"']{1,1024}/g, '$1***'],
      [/(\s-U\s{0,4}["']?[^\s%"']{1,64}%)[^\s"']{1,256}/g, '$1***'],
      [
        /((?<!\S)--?(?:proxy-)?(?:user|auth|credentials)[\s=]{1,4}["']?[^\s:"'/]{1,128}:)(?!\d{1,9}(?:[\s"']|$))[^\s"']{1,256}/g,
        '$1***',
      ],
      // A user and what follows it: no port and no path.
      [
        /((?<!\S)-{1,2}(?:u|user|username)[\s=]{0,4}[\w.@"'-]{1,64}\s{1,4}-p\s{0,4}["']?)(?![\d.:/-]+(?:[\s"'/]|$))[^\s"'/:]{1,256}/g,
        '$1***',
      ],
      [new RegExp(String.raw`((?<!\S)-{1,2}(?:p|pw|P|W|key)[\s=]{1,4}["']?)${MADE_UP}`, 'g'), '$1***'],
      [/((?<!\S)\/(?:p|pass|pwd|pw):)[^\s"']{1,256}/gi, '$1***'],
    ],
  },
  {
    when: /identified|password/i,
    patterns: [
      [
        new RegExp(
          String.raw`(\b(?:identified(?: with \S{1,40})? by|(?:encrypted|with|set|using|new|default|login|superuser)\s{1,4}password|user \S{1,64}\s{1,4}password)\s{1,4}(?:=\s{0,4})?)(?:"[^"]{1,256}"|'[^']{1,256}')`,
          'gi',
        ),
        '$1***',
      ],
    ],
  },
  {
    when: /AUTH\s|ACL SETUSER|_user|change_password|passwd/i,
    patterns: [
      [
        new RegExp(
          String.raw`(^[ \t]{0,8}AUTH[ \t]{1,4}(?:default[ \t]{1,4})?)(?![A-Z]{2})${LETTERS}(?=[ \t]{0,8}$)`,
          'gm',
        ),
        '$1***',
      ],
      [/(\bAUTH\s{1,4}(?:[a-z0-9_-]{1,64}\s{1,4})?["']?)(?=\S{0,64}[\d!@#$%^*])[^\s"']{6,256}/g, '$1***'],
      [/(\bACL SETUSER \S{1,64}[^\n]{0,200}?[ "']>)[^\s"']{1,256}/gi, '$1***'],
      [
        /(\b(?:add_user|change_password|authenticate_user)\s{1,4}\S{1,64}\s{1,4}["']?)[^\s"']{1,256}/g,
        '$1***',
      ],
      [
        /(\b(?:htpasswd\s{1,4}-(?=\S{0,4}n)\S{0,4}b\S{0,4}|(?:htpasswd|mosquitto_passwd)\s{1,4}-(?!\S{0,4}n)\S{0,4}b\S{0,4}\s{1,4}\S{1,128})\s{1,4}\S{1,64}\s{1,4}["']?)[^\s"']{1,256}/g,
        '$1***',
      ],
      [/(\bopenssl passwd\s{1,4}(?:-\S{1,16}\s{1,4}){0,4}["']?)[^\s"'-][^\s"']{0,256}/g, '$1***'],
      [
        /(["']?\b[a-z_][a-z0-9_-]{0,31}:)[^\s"']{1,256}(?=["']?\s{0,4}\|\s{0,4}(?:sudo\s{1,4})?chpasswd)/g,
        '$1***',
      ],
    ],
  },
  {
    when: /pass|token|secret|key/i,
    patterns: [
      [
        new RegExp(
          String.raw`((?:password|passphrase|\btoken|\bsecret|\bapi[ _-]?key|passcode)(?: for \S{1,64})? (?:is|was|(?:re)?set to|changed to|=)\s{1,4}["'\x60]?)(?=[^\s"'\x60]{0,64}\d)[^\s"'\x60]{4,256}`,
          'gi',
        ),
        '$1***',
      ],
    ],
  },
  { when: /pass(?:word|wd|phrase|code)|pwd|token|secret|key/i, patterns: ANNOUNCED },
  {
    when: /pw|auth|community|password|passphrase|passcode|user |_key|key[ _-]base|token|api|credential|alias set|vault|sqlplus|sqlldr|dp\b|rman|lftp|login|crypt\w{0,8}\s{0,4}\(|\/user:|iwconfig|<<<|\bPIN\b|PASS|insert into|(?:admin|root|guest|administrator)(?: \/ |:|\/)|^"[^"\n]{1,64}" "|^[^:\n]{1,263}:[\d*]{1,5}:|echo|printf|key="/im,
    patterns: WITHOUT_SIGN,
  },
  {
    when: /[\w.=/+-]{15}/,
    patterns: [
      [/(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,80}/g, '***'], // Telegram bot token
      ...TOKENS,
    ],
  },
];

const NO_LETTER_BEFORE = String.raw`(?<![\p{L}\d])`;
const NO_LETTER_AFTER = String.raw`(?![\p{L}\d])`;
/** `db_pw=`, `PIN: "`, `://user:`, `-a `. */
const CREDENTIAL_BEFORE = String.raw`(?:${SECRET_WORD}|pw|pin|psk|auth|login|key)${TO_VALUE}["'\x60]?|:\/\/[^\s:/@]{0,64}:|\s-[apPuw]\s{0,4}`;

/**
 * Masks one known secret as it is written. One that no sentence holds by chance goes wherever it stands. A short one, or a plain word
 * like `postgres`, goes where it stands by itself, not within other words. The shortest would take words out of every
 * second sentence ("yes", "redis", "1"): they go where a credential stands, which is behind a name of one, in quotes or in a URL.
 */
export function maskKnown(text: string, secret: string): string {
  if (!text.includes(secret)) return text;
  const isWord = /^(?:\p{L}+|\d+)$/u.test(secret);
  if (secret.length >= 8 && !(isWord && secret.length < 16)) return text.replaceAll(secret, '***');
  const escaped = secret.replace(/[\^$\\.*+?()[\]{}|/]/g, String.raw`\$&`);
  const edge = (character: string) => /[\p{L}\d]/u.test(character);
  const alone = `${edge(secret.at(0) ?? '') ? NO_LETTER_BEFORE : ''}${escaped}${edge(secret.at(-1) ?? '') ? NO_LETTER_AFTER : ''}`;
  if (secret.length >= 6 || (secret.length >= 4 && !isWord))
    return text.replace(new RegExp(alone, 'gu'), '***');
  return text.replace(
    new RegExp(`(${CREDENTIAL_BEFORE})${alone}|(["'\x60])${alone}(?=\\2)`, 'giu'),
    '$1$2***',
  );
}

let tried = new WeakRef(new Map<RegExp, RegExp>());

/**
 * A copy that lives until the next garbage collection. What Node makes of a pattern when it is tried, it keeps as long as the pattern: 0.4 MB
 * for those that one log line needs. The group makes it another pattern for Node's own list of known ones.
 */
function fresh(pattern: RegExp): RegExp {
  let copies = tried.deref();
  if (!copies) tried = new WeakRef((copies = new Map()));
  let copy = copies.get(pattern);
  if (!copy) copies.set(pattern, (copy = new RegExp(`(?:${pattern.source})`, pattern.flags)));
  return copy;
}

/** Masks everything in the text that looks like a secret. */
export function maskPatterns(text: string): string {
  let result = text;
  for (const family of FAMILIES) {
    if (family === 'names') result = maskNamed(result);
    else if (fresh(family.when).test(result))
      for (const [pattern, replacement] of family.patterns)
        result = result.replace(fresh(pattern), replacement);
  }
  return result;
}

const SECRET_NAME = /pass|pwd|secret|token|key|credential|auth/i;

/** More would let a container with an environment of a megabyte hold the monitor up; it would expose nobody's secrets but its own. */
const MOST = 500;

/** Values in a container's environment that its own log lines must not show to others. */
export function secretsFromEnv(env: readonly string[] | undefined): string[] {
  const secrets = (env ?? []).flatMap((entry) => {
    const at = entry.indexOf('=');
    const value = entry.slice(at + 1);
    return at > 0 && SECRET_NAME.test(entry.slice(0, at)) && value !== '' ? [value] : [];
  });
  return [...new Set(secrets)].slice(0, MOST);
}
