import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { secretsFromEnv } from '../../src/model/secret-patterns.ts';
import { maskSecrets, plain } from '../../src/model/text.ts';
import { expectLinear } from '../helpers/cost.ts';

/** Put together here, so that no scanner takes this file for a leak: letters of both cases, digits. */
const mixed = (length: number) => 'aB3dE5gH7jK9mN1pQ4sT6vW8yZ'.repeat(6).slice(0, length);
const hex = (length: number) => '3f9a1c7e5b2d8046'.repeat(6).slice(0, length);
const PLAIN = 'Hunter2fox';

/** Lines with § where the secret stands; what stands there must be gone. */
const AS_VALUE = `PASSWORD=§
POSTGRES_PASSWORD=§
export PGPASSWORD=§
MYSQL_ROOT_PASSWORD: §
MYSQL_PWD=§ mysqldump
DB_PASS=§
REDIS_PASSWD='§'
SECRET=§
SECRET_KEY=§
SECRET_KEY_BASE=§
DJANGO_SECRET_KEY="§"
N8N_ENCRYPTION_KEY=§
APP_KEY=base64:§
JWT_SECRET=§
JWT_KEY=§
AUTH_TOKEN=§
AUTH_KEY: §
API_KEY=§
api-key: §
X-Api-Key: §
x-auth-token: §
apikey=§&x=1
GET /x?api_key=§&page=2 200
GET /cb?access_token=§ 302
GET /cb?client_secret=§&code=1
GET /login?password=§
POST /login password%3D§
AccountKey=§;EndpointSuffix=core.windows.net
AWS_SECRET_ACCESS_KEY=§
aws_session_token = §
ENCRYPTION_KEY=§
SIGNING_KEY=§
MASTER_KEY=§
PRIVATE_KEY=§
SESSION_KEY=§
COOKIE_KEY=§
WEBHOOK_SECRET=§
HMAC_KEY: §
SMTP_PASSWORD=§
credentials: §
passphrase: §
passcode=§
otp=§
Passwort: §
contraseña: §
{"password":"§"}
{"password": "§", "user": "app"}
{"user":{"api_key":"§"}}
{\\"password\\":\\"§\\"}
{\\\\\\"token\\\\\\":\\\\\\"§\\\\\\"}
{'password': '§'}
{"access_token":"§","expires_in":3600}
{"client_secret":"§"}
{"refreshToken":"§"}
{"encryptionKey":"§"}
password = "§"
password => "§"
"password" => '§',
:password=>"§"
password: '§'
password: \`§\`
Password:§
{Host:db Port:5432 Password:§ SSL:false}
params[password]=§
user=app password=§ host=db
host=db user=app pass=§
Server=db;User Id=sa;Password=§;
jdbc:postgresql://db/app?user=u&password=§
<password>§</password>
<apiKey>§</apiKey>
password=§, retrying
the password is §
your new password is "§"
Generated token: §
the API key was §
token set to §
password changed to '§'
postgres://u:§@h/db
postgres:\\/\\/u:§@h\\/db
"url":"postgresql://app:§@db:5432/app"
redis://:§@redis:6379
rediss://default:§@redis:6379/0
mysql://root:§@tcp(db:3306)/x
amqp://guest:§@rabbit:5672/
mongodb+srv://u:§@cluster0.x.mongodb.net/app
mongodb://u:§@h1:27017,h2:27017/db?replicaSet=r
smtp://u:§@mail:587
https://user:§@example.com/path
http://u:§@proxy:3128
ftp://u:§@host/
clickhouse://u:§@h:9000
git clone https://oauth2:§@gitlab.example.com/x.git
DATABASE_URL=postgres://u:§@h/db
connecting to postgres://u:§@h/db failed
Authorization: Bearer §
authorization: Basic §
Authorization: §
"authorization":"Token §"
{\\"Authorization\\":\\"Bearer §\\"}
Proxy-Authorization: Basic §
curl -H 'Authorization: ApiKey §'
Cookie: session=§; theme=dark
Set-Cookie: sid=§; HttpOnly
cookie: connect.sid=§
PHPSESSID=§
bearer §
redis-cli -a § ping
redis-cli -h redis -p 6379 -a '§' info
redis-cli --pass §
redis-benchmark -a § -n 10
valkey-cli -a § ping
curl -u u:§ http://x/
curl -s --user u:§ http://x/
curl -su u:x --user 'u:§' http://x
wget --user u --password=§ http://x
wget --user u --password § http://x
http -a u:§ GET :8080
mysql -p§ -u root
mysql -u root -p§ app
mysqldump -h db -uroot -p'§' app
mariadb-dump -p§ app
mysqladmin -u root -p§ ping
mongosh -u root -p § --eval 1
mongodump --username u -p §
sshpass -p § ssh root@h
docker login -u u -p § registry
docker login --password § registry
sqlcmd -S db -U sa -P §
ldapsearch -x -D cn=admin -w § -b dc=x
mosquitto_pub -u u -P § -t x
smbclient //h/s -U user%§
zip -P § a.zip b
unzip -P § a.zip
--requirepass §
requirepass §
masterauth x masterpass §
--token § --x
--api-key §
--secret-key "§"
--password '§'
AUTH §
AUTH default §
ACL SETUSER app on >§ ~* +@all
CREATE USER app WITH PASSWORD '§'
ALTER USER app PASSWORD '§'
ALTER ROLE app WITH ENCRYPTED PASSWORD '§'
CREATE USER 'a'@'%' IDENTIFIED BY '§'
ALTER USER 'root' IDENTIFIED WITH mysql_native_password BY '§'
SET PASSWORD = '§'
rabbitmqctl add_user app §
rabbitmqctl change_password app §
htpasswd -bc /etc/nginx/htpasswd app §
echo 'root:§' | chpasswd
openssl rsa -passin pass:§ -in k
tok\u200ben=§
tok\u001b[0men=§
token\u001b]8;;x\u0007=§
token\u001b]8;;http://x\u001b\\\\=§
token\u001b(B=§
token\u001bP1$q\u001b\\\\=§
pass\u00adword=§
p\u2060assword=§
password\u009b1m=§
password\u001b[38;5;1m=\u001b[0m§
password\\\\u001b[0m=§
pp\bass\bsword=§`
  .split('\n')
  .map((line) => line.replaceAll('\\\\', '\\'));

const TOKENS = [
  `1234567890:${mixed(35)}`,
  `AIza${mixed(35)}`,
  `glpat-${mixed(20)}`,
  `glpat-${mixed(27)}.01.${mixed(9)}`,
  `github_pat_${mixed(22)}_${mixed(59)}`,
  ...['p', 'o', 'u', 's', 'r'].map((kind) => `gh${kind}_${mixed(36)}`),
  `SG.${mixed(22)}.${mixed(43)}`,
  ...['b', 'p', 'a', 'o', 'e'].map((kind) => `xox${kind}-${'123456789012'}-${mixed(24)}`),
  `xapp-1-${mixed(40)}`,
  `https://hooks.slack.com/services/T0/B0/${mixed(24)}`,
  `https://discord.com/api/webhooks/123456789012345678/${mixed(68)}`,
  `https://x.webhook.office.com/webhookb2/${hex(36)}`,
  `AKIA${'Q3'.repeat(8)}`,
  `ASIA${'Q3'.repeat(8)}`,
  `npm_${mixed(36)}`,
  `pypi-${mixed(60)}`,
  `dckr_pat_${mixed(27)}`,
  `hf_${mixed(34)}`,
  `sk-${mixed(48)}`,
  `sk-proj-${mixed(40)}`,
  `sk-ant-api03-${mixed(60)}`,
  `sk_live_${mixed(24)}`,
  `rk_live_${mixed(24)}`,
  `whsec_${mixed(32)}`,
  `shpat_${hex(32)}`,
  `dop_v1_${hex(64)}`,
  `glsa_${mixed(32)}_${hex(8)}`,
  `ya29.${mixed(60)}`,
  `1//0${mixed(40)}`,
  `GOCSPX-${mixed(28)}`,
  `eyJ${mixed(20)}.eyJ${mixed(30)}.${mixed(43)}`,
  `hvs.${mixed(24)}`,
  `gsk_${mixed(52)}`,
  `xai-${mixed(60)}`,
  `r8_${mixed(37)}`,
  `lin_api_${mixed(40)}`,
  `ntn_${mixed(46)}`,
  `tskey-auth-${mixed(20)}`,
  `sntrys_${mixed(60)}`,
  `SK${hex(32)}`,
  `dapi${hex(32)}`,
  `${hex(32)}-us12`,
  `AGE-SECRET-KEY-1${mixed(50).toUpperCase()}`,
  `EAA${mixed(120)}`,
  mixed(40),
];

/** More places where one stands: command lines, directives, protocols, other languages. */
const PLACES = readFileSync(new URL('../fixtures/masks/places.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

describe('R6: what looks like a secret is masked', () => {
  const lines: [string, string][] = [
    ...PLACES.map((line): [string, string] => [line.replaceAll('§', PLAIN), PLAIN]),
    ['password: |\n  Hunter2fox', PLAIN],
    ['password: !vault |\n  Hunter2fox', PLAIN],
    ['- name: DB_PASSWORD\n  value: Hunter2fox', PLAIN],
    ['tokens:\n  - Hunter2fox', PLAIN],
    ['Please use the following password to proceed to installation:\n\nHunter2fox\n', PLAIN],
    ['seed phrase: legal winner thank year wave sausage worth useful', 'sausage'],
    ['MNEMONIC="legal winner thank year wave sausage worth useful"', 'sausage'],
    ['DB_PASS correcthorse', 'correcthorse'],
    ['export POSTGRES_PASSWORD correcthorse', 'correcthorse'],
    ['USER bob\r\nPASS Hunter2fox\r\n', PLAIN],
    ...AS_VALUE.map((line): [string, string] => [line.replace('§', PLAIN), PLAIN]),
    ...TOKENS.flatMap((token): [string, string][] => [
      [`sent ${token} to it`, token.slice(-12)],
      [`{"msg":"using \\"${token}\\" now"}`, token.slice(-12)],
    ]),
    [`postgres://u:Hunter2/fox@ab@h/db`, 'fox'],
    [`https://${hex(32)}@o1.ingest.sentry.io/12`, hex(32)],
    [
      `key: -----BEGIN RSA PRIVATE KEY-----\n${mixed(64)}\n${mixed(20)}\n-----END RSA PRIVATE KEY-----`,
      mixed(20),
    ],
    [`-----BEGIN PRIVATE KEY-----\\n${mixed(64)}\\n-----END`, mixed(20)],
    [`-----BEGIN OPENSSH PRIVATE KEY-----\n${mixed(70)}`, mixed(20)],
    [mixed(64), mixed(20)],
    [`password: "two\nlines Hunter2fox"`, PLAIN],
    [`{"password":"with \\"quotes\\" Hunter2fox"}`, PLAIN],
  ];

  it('has a corpus worth the name', () => expect(lines.length).toBeGreaterThanOrEqual(200));
  it('R6: no secret of the corpus is left, in a log and in a message', () => {
    const leaks = lines.filter(
      ([line, secret]) =>
        maskSecrets(line).includes(secret) || maskSecrets(plain(maskSecrets(line), 2000)).includes(secret),
    );
    expect(leaks.map(([line]) => line)).toEqual([]);
  });
  it('R6: a password of letters alone is none the less one where a keyword or an option announces it', () => {
    const words = readFileSync(new URL('../fixtures/masks/words.txt', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    const leaks = ['hunterfox', 'Sesame', 'letmein!'].flatMap((secret) =>
      words.map((line) => line.replaceAll('§', secret)).filter((line) => maskSecrets(line).includes(secret)),
    );
    expect(leaks).toEqual([]);
  });
  it('R6: at most 2 of the harmless lines are touched', () => {
    const harmless = readFileSync(new URL('../fixtures/masks/harmless.txt', import.meta.url), 'utf8')
      .split('\n')
      .filter(Boolean);
    expect(harmless.length).toBeGreaterThanOrEqual(200);
    const touched = harmless.filter((line) => maskSecrets(line) !== line);
    expect(touched.length, touched.join('\n')).toBeLessThanOrEqual(2);
  });
  it('R6: masks a known secret as JSON writes it, over lines and quotes', () => {
    const secret = 'a"b\nc\\d';
    expect(maskSecrets(`{"x":${JSON.stringify(secret)}}`, [secret])).toBe('{"x":"***"}');
  });
});

describe('S3: what is not seen goes first', () => {
  it('S3: takes out every kind of escape sequence and what has no width', () => {
    for (const inside of [
      '\u001b]8;;http://x\u0007',
      '\u001b]0;title\u001b\\',
      '\u009d8;;x\u009c',
      '\u001bPq#0\u001b\\',
      '\u0090q\u009c',
      '\u001b_apc\u001b\\',
      '\u001b^pm\u001b\\',
      '\u001bXsos\u001b\\',
      '\u001b(B',
      '\u001b)0',
      '\u001b%G',
      '\u001b#8',
      '\u001b7',
      '\u001b=',
      '\u001bc',
      '\u001b[1;31m',
      '\u001b[?25l',
      '\u001b[>0c',
      '\u001b[38:2::1:2:3m',
      '\u001b[2 q',
      '\u009b31m',
      '\u001b\u001b[0m',
      '\u200b',
      '\u200c',
      '\u200d',
      '\u2060',
      '\u2063',
      '\u180e',
      '\u00ad',
      '\u034f',
      '\u061c',
      '\u3164',
      '\ufe0f',
      '\ufff9',
      '\u{e0041}',
      '\u0000',
      '\u0085',
      '\u202e',
    ]) {
      expect(plain(`a${inside}b`), JSON.stringify(inside)).toBe('ab');
      expect(maskSecrets(`tok${inside}en=Hunter2fox`), JSON.stringify(inside)).toBe('token=***');
    }
    expect(plain('⚠️ ok')).toBe('⚠️ ok');
  });

  it('S3: whatever stands within the name, nothing a terminal acts on gets through', () => {
    const parts = [
      '\u001b',
      '[',
      ']',
      '8;;',
      '\u0007',
      '\\',
      'P',
      '(',
      'B',
      '\u009b',
      '1m',
      '\u009d',
      '\u200b',
      '\b',
      'x',
      '\n',
      '\r',
    ];
    let seed = 42;
    const next = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648);
    for (let i = 0; i < 5000; i += 1) {
      const text = Array.from({ length: 12 }, () => parts[(next() >> 8) % parts.length]).join('');
      // oxlint-disable-next-line no-control-regex -- looking for what is left of them
      expect(plain(text), JSON.stringify(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b]/);
    }
  });

  it('S3: takes time in proportion to hostile text', () => {
    for (const part of [
      '\u001b]',
      '\u001b',
      '\u001b[',
      '\u001b[1;',
      '\u009d',
      '\b',
      'x\b',
      '\u200b',
      'mysql -u ',
      'curl -u ',
      '-----BEGIN PRIVATE KEY-----',
      'aB3',
      'AUTH ',
      'root:',
      'a_password ',
      'user a password b ',
      'a_',
      '"name":"password",',
      'token (',
      'PASS_',
      '?key=',
      'login a ',
      'a:b@',
      '-u a -p ',
      'curl -b ',
      '$2b$',
      'mnemonic: ',
      '<<< ',
      'password (a_',
      'Authorization: a b=',
    ])
      expectLinear((times) => maskSecrets(part.repeat(times)), 5000, JSON.stringify(part));
  });
});

describe('S16: a line drawn over and over', () => {
  it('S16: shows the last state of a progress bar', () => {
    expect(plain('10 %\r50 %\r100 % done')).toBe('100 % done');
    expect(plain('10 %\r100 %\r')).toBe('100 %');
    expect(plain('one\r\ntwo 1\rtwo 2\r\n')).toBe('one two 2');
    expect(plain('\r\r')).toBe('');
  });

  it('S16: takes time in proportion to a line, wherever its returns stand', () => {
    for (const hostile of ['\r', '\ra', 'a\r\r'])
      expectLinear((times) => plain(hostile.repeat(times), times), 20_000, JSON.stringify(hostile));
    expectLinear((times) => plain(`\r${'a'.repeat(times)}`, times), 20_000, 'a return and a long rest');
    expectLinear((times) => plain(`${'\r'.repeat(times)}a`, times), 20_000, 'many returns and a rest');
  });
});

it('R6: an environment without measure does not hold up whoever masks with it', () => {
  const env = Array.from({ length: 100_000 }, (_, at) => `KEY_${at}=s${at}`);
  const secrets = secretsFromEnv([...env, 'PATH=/bin', 'TOKEN=', 'NAME=x']);
  expect(secrets).toHaveLength(500);
  const used = process.cpuUsage();
  for (let line = 0; line < 5; line++) maskSecrets('a line of a log, with key=s7 in it', secrets);
  expect(process.cpuUsage(used).user / 1000).toBeLessThan(1000);
  expect(maskSecrets('key=s7', secrets)).toBe('key=***');
});
