/** How secrets look in log lines and command lines. Every repetition is bounded: an unbounded one takes quadratic time. */

type Pattern = [RegExp, string];

/**
 * Patterns that match in no text without `when`. Most texts hold no secret, and Node keeps the machine code of every pattern that was
 * tried twice: 0.5 MB for these.
 */
type Family = { when: RegExp; patterns: readonly Pattern[] };

/** What a setting, a field or a flag with a secret is called. "pass" is one, "bypass" and "compass" are not. */
const SECRET_WORD =
  '(?:pass[ _-]?(?:word|code|phrase)(?:[ _-]?hash)?|passwd|passwort|kennwort|mot de passe|contrase(?:\u00f1|n)a|senha|(?<!by|com)pass|pwd|' +
  // The same in other languages: cs/sk, da, el, fi, hu, it/ro/tr, ja, ko, nb, nl, pl, ru/uk, sv, tr, zh.
  'heslo|adgangskode|\u03ba\u03c9\u03b4\u03b9\u03ba\u03cc\u03c2|salasana|jelsz\u00f3|(?<![a-z])parol[ae\u0103]|\u30d1\u30b9\u30ef\u30fc\u30c9|\ube44\ubc00\ubc88\ud638|passord|wachtwoord|' +
  'has\u0142o|\u043f\u0430\u0440\u043e\u043b\u044c|l\u00f6senord|\u015fifre|\u5bc6[\u7801\u78bc]|' +
  '(?<![a-z])(?:bind|root)?pw|(?<![a-z])psk|(?<![a-z])cv[vc]|' +
  'secret(?:[ _-]?(?:access[ _-]?)?key(?:[ _-]?base)?)?|token(?:[ _-]?secret)?|credential|otp[ _-]?code|(?<![a-z])otp|' +
  '(?:api|access|private|encryption|signing|master|auth|app|account|shared|license|session|cookie|hmac|jwt|webhook)[ _-]?key|' +
  'SharedAccessSignature|X-Amz-Signature|(?<![a-z])sig|phpsessid|jsessionid|connect\\.sid|csrf|xsrf)s?';
/** What stands between the name and the value: `=`, `": "`, `\": `, `=>`, `:=`, `==`, `[]=`, `%3D`, `">` of XML. */
const TO_VALUE = String.raw`(?:\\{0,3}["'\x60]?\[?\]?\s{0,4}(?:[=:\uff1a]=?>?|%3D)\s{0,4}(?:[|>][+-]?\s{1,40})?|>)`;
/** Not a value but a word about it, or a count of tokens. */
const NO_VALUE = String.raw`(?!\$\d{1,2}(?!\w))(?!(?:null|nil|true|false|none|undefined|required|missing|incorrect|invalid|expired|empty|not|must|is|was|cannot|unexpected|no|yes|ok)\b(?![-_.!$]))`;
const NO_COUNT = String.raw`(?<!tokens${TO_VALUE})`;
/** A quoted value may hold blanks, and escaped quotes unless its own are; one without ends at what cannot belong to it. */
const SECRET_VALUES = [
  [String.raw`\\{1,3}"`, String.raw`[^"\\]{1,512}`],
  ['"', String.raw`(?:\\[^]|[^"\\]){1,512}`],
  ["'", String.raw`(?:\\[^]|[^'\\]){1,512}`],
  ['\x60', String.raw`[^\x60]{1,512}`],
  ['', String.raw`${NO_VALUE}(?:(?!\d{1,9}\b)|${NO_COUNT})[^\s"'\x60,;&\\<>][^\s"'\x60,;&<>]{0,512}`],
].map(([quote, value]): Pattern => [
  new RegExp(`(${SECRET_WORD}${TO_VALUE}${quote})${value}`, 'gi'),
  '$1***',
]);

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
    '(?:mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport|sshpass|useradd|usermod|7z|login|ncftp[a-z]{0,5})',
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
  String.raw`(?=[A-Za-z]{0,64}\d)(?=[A-Z0-9]{0,64}[a-z])(?=[a-z0-9]{0,64}[A-Z])[A-Za-z0-9]{32,512}(?:[+/][A-Za-z0-9+/]{0,512})?={0,2}`,
].map((token): Pattern => [
  new RegExp(String.raw`(?<![A-Za-z0-9_])(?:${token})(?![A-Za-z0-9_])`, 'g'),
  '***',
]);

/** What has only a blank, a slash or its place in the line before it must look like a secret: with a digit in it. */
const LIKE_ONE = String.raw`(?=[^\s"'\x60]{0,64}\d)[^\s"'\x60]{4,256}`;
const WITHOUT_SIGN: Pattern[] = [
  // Directives of OpenLDAP, Redis, Squid, a switch; netrc; a user in redis.conf.
  ...[
    String.raw`\b(?:bindpw|rootpw|masterauth|proxy_password|snmp-server community|(?:login|account) \S{1,128}\s{1,4}password)\s{1,4}["']?`,
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
    String.raw`\b(?:[A-Za-z]\d{1,6}|imap) LOGIN \S{1,128} ["']?`,
  ].map((before): Pattern => [new RegExp(`(${before})${LIKE_ONE}`, 'gi'), '$1***']),
  // POP3 and FTP; of a test runner's lines, which have a path there, nothing.
  [/((?:^|[<>] )\s{0,8}PASS )(?!\S{0,256}[./])\S{1,256}/gm, '$1***'],
  // A line of .pgpass.
  [
    /^(\s{0,8}[\w.*-]{1,255}:(?:\d{1,5}|\*):[^:\s]{1,63}:[^:\s]{1,63}:)(?=[^:\s]{0,255}[A-Za-z])[^\s:]{1,256}$/gm,
    '$1***',
  ],
  [
    /(\becho\s{1,4}(?:-n\s{1,4})?["']?)[^\s"'|]{1,256}(?=["']?\s{0,4}\|\s{0,4}(?:sudo\b[^|\n]{0,40}-S|docker login|passwd))/g,
    '$1***',
  ],
  [new RegExp(`(\\bkey="[^"]{0,64}${SECRET_WORD}[^"]{0,64}"\\s{1,4}value=")[^"]{1,512}`, 'gi'), '$1***'],
];

/** In the order in which they are applied. */
const FAMILIES: readonly Family[] = [
  {
    when: /PRIVATE KEY|hook|:\\?\/\\?\/|@(?:tcp|unix)\(|authorization|cookie|^\s{0,8}[A-Za-z0-9+/]{60}/im,
    patterns: [
      [
        /(-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)(?:[^]{1,16384}?(?=-----END)|[^]{1,16384})/g,
        '$1***',
      ],
      // A line of a PEM file by itself.
      [/^\s{0,8}(?=\S{0,76}[A-Z])(?=\S{0,76}[a-z])(?=\S{0,76}\d)[A-Za-z0-9+/]{60,76}={0,2}\s{0,4}$/gm, '***'],
      [/(hooks\.slack\.com\\?\/(?:services|workflows|triggers)\\?\/)[^\s"'<>]{1,256}/gi, '$1***'],
      [/(discord(?:app)?\.com\\?\/api\\?\/webhooks\\?\/\d{1,24}\\?\/)[^\s"'<>]{1,256}/gi, '$1***'],
      [/(\.webhook\.office\.com\\?\/webhookb2\\?\/)[^\s"'<>]{1,512}/gi, '$1***'],
      // The password of a URL may hold @ and /; digits up to a slash are a port.
      [/(:\\?\/\\?\/[^\s:/@[\\"']{0,128}(?::|%3A))(?!\d{1,5}(?:[/?#,;)\\]|$))[^\s"'<>]{1,512}@/gi, '$1***@'],
      [/(:\\?\/\\?\/)[A-Za-z0-9_-]{20,256}@/g, '$1***@'],
      // A data source name of Go's MySQL driver.
      [/(?<![^\s"'=])([\w.-]{1,64}:)[^\s"']{1,256}@(?=(?:tcp|unix)\()/g, '$1***@'],
      [
        /\b((?:proxy-)?authorization\\?["']?\s{0,4}[=:]\s{0,4}\\?["']?)[a-z]{1,20} {1,4}[^\s"',;&]{1,512}/gi,
        '$1***',
      ],
      [/\b((?:proxy-)?authorization\\?["']?\s{0,4}[=:]\s{0,4}\\?["']?)[^\s"',;&]{1,512}/gi, '$1***'],
      [/\b((?:set-)?cookie2?\\?["']?:\s{0,4}\\?["']?)[^\s"'=]{1,128}=[^\n"']{1,1024}/gi, '$1***'],
    ],
  },
  { when: new RegExp(SECRET_WORD + TO_VALUE, 'i'), patterns: [...SECRET_VALUES] },
  {
    when: /(?<!\w)--?[a-z]|require|master/i,
    patterns: [
      [
        new RegExp(
          `((?:(?<!\\w)--?[a-z0-9.-]{0,40}?|require|master)${SECRET_WORD}\\s{1,4})(?:"[^"]{1,256}"|'[^']{1,256}'|[^\\s"'-][^\\s"']{0,512})`,
          'gi',
        ),
        '$1***',
      ],
    ],
  },
  { when: /bearer|basic/i, patterns: [[/\b(bearer|basic) {1,4}[a-z0-9._~+/=-]{8,512}/gi, '$1 ***']] },
  {
    when: /\s-/,
    patterns: [
      ...COMMANDS,
      [
        new RegExp(
          String.raw`(\b(?:curl|wget|http|https|xh|ftp|lftp)\b[^\n|;]{0,200}?\s(?:-u|--user|--proxy-user|-U|-a|--auth)[\s=]{0,4}["']?[^\s:"']{1,128}:)[^\s"']{1,256}`,
          'g',
        ),
        '$1***',
      ],
      [/(\s-U\s{0,4}["']?[^\s%"']{1,64}%)[^\s"']{1,256}/g, '$1***'],
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
    when: /AUTH\s|ACL SETUSER|add_user|change_password|passwd/i,
    patterns: [
      [/(\bAUTH\s{1,4}(?:[a-z0-9_-]{1,64}\s{1,4})?["']?)(?=\S{0,64}[\d!@#$%^*])[^\s"']{6,256}/g, '$1***'],
      [/(\bACL SETUSER \S{1,64}[^\n]{0,200}?[ "']>)[^\s"']{1,256}/gi, '$1***'],
      [/(\b(?:add_user|change_password)\s{1,4}\S{1,64}\s{1,4})[^\s"']{1,256}/g, '$1***'],
      [/(\bhtpasswd\s{1,4}-\S{0,4}b\S{0,4}\s{1,4}\S{1,128}\s{1,4}\S{1,64}\s{1,4})[^\s"']{1,256}/g, '$1***'],
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
          String.raw`(\b(?:password|passphrase|token|secret|api[ _-]?key|passcode)(?: for \S{1,64})? (?:is|was|set to|changed to|=)\s{1,4}["'\x60]?)(?=[^\s"'\x60]{0,64}\d)[^\s"'\x60]{4,256}`,
          'gi',
        ),
        '$1***',
      ],
    ],
  },
  {
    when: /pw|auth|community|password|passphrase|passcode|user |_key|key[ _-]base|token|api|credential|alias set|vault|sqlplus|sqlldr|dp\b|rman|lftp|login|PASS|^[^:\n]{1,263}:[\d*]{1,5}:|echo|key="/im,
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

/** Masks everything in the text that looks like a secret. */
export function maskPatterns(text: string): string {
  let result = text;
  for (const { when, patterns } of FAMILIES) {
    if (!when.test(result)) continue;
    for (const [pattern, replacement] of patterns) result = result.replace(pattern, replacement);
  }
  return result;
}
