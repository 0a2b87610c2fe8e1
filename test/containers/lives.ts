// A random life of a few containers on one server: they crash, are stopped, deployed, rolled out, renamed, paused, removed, remove
// themselves, fail their health checks; Docker goes away and comes back; some are muted, some are to be watched by name; silences of containers, of rules and of everything begin, overlap and end, somebody sets the clock, the
// monitor is restarted. Each message that reaches the outbox is compared with how things really are at that moment.
import { isAllReported, isUnreported, rowOf } from '../../src/containers/persist.ts';
import { isWatched, keyOf } from '../../src/containers/table.ts';
import type { SavedService } from '../../src/containers/types.ts';
import type { Message } from '../../src/model/message.ts';
import { START_LINES } from '../../src/model/monitor-report.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import { formatDuration } from '../../src/model/text.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { createWorld, type World } from './world.ts';
import { random } from '../helpers/random.ts';

const NAMES = ['web', 'db', 'api', 'queue', 'cache', 'proxy'];
/** Rules that somebody silences. */
const SILENCED_RULES = [
  'container-stopped',
  'container-unhealthy',
  'container-restarting',
  'container-redeployed',
  'container-started',
  'restart-loop',
  'docker-gone',
];
const MINUTE = 60_000;
/** Long enough for everything that waits, and for calm after flapping. */
const CALM_MS = 45 * MINUTE;

export type Life = { wrong: string[]; diary: string[] };

/** What really happened to a name, by the monotonic clock of the world. */
type Truth = {
  downAt?: number;
  /** Since when the other one was down that bore the name, where one that was down itself took it. */
  otherDownAt?: number;
  /** When it was paused, and when it had gone down before: a pause for a moment, as a backup makes it, is none. */
  pause?: { at: number; diedAt: number | undefined };
  diedAt?: number | undefined;
  upAt?: number;
  /** It came up while no monitor ran. */
  upUnseen?: true;
  downMs: number;
  deaths: number;
  outages: string[];
  /** Docker was away, and nobody could see what happened to it. */
  unseen?: true;
};

export function live(seed: number): Life {
  const pick = random(seed);
  const chance = (percent: number) => pick(100) < percent;
  const diary: string[] = [];
  const wrong: string[] = [];
  const truths = new Map<string, Truth>();
  let clockWasSet = false;
  /** Name and exit code of every death. */
  const exits: string[] = [];
  /** vpsmon.yaml wants no messages about its stops. */
  const muted = chance(30) ? NAMES[pick(NAMES.length)] : undefined;
  if (muted !== undefined) diary.push(`muted: stops of ${muted}`);
  /** Of these a reader does not know all. */
  const halfKnown = new Set(muted === undefined ? [] : [muted, `${muted}-next`]);
  const world: World = createWorld(
    chance(30) ? { MONITORED_SERVICES: NAMES } : {},
    muted === undefined ? {} : { services: [{ name: muted, mute: ['stopped'] }] },
    { onMessage: (message) => judge(message) },
  );
  /** Restarts that a policy will make. */
  const policies: { at: number; id: string }[] = [];
  /** Until when, and how long it was asked for. */
  const silences = new Map<string, number>();
  const lengths = new Map<string, number>();
  /** What a monitor that is killed leaves behind. */
  const saved = new Map<string, SavedService>();
  let readUntil = 0;
  let watching = true;
  let dockerAnswers = true;
  let listAt = 0;
  let wasAway = false;
  let everSilenced = false;
  /** What a reader of the messages believes. */
  const belief = new Map<string, string>();

  const stamp = () => new Date(world.now).toISOString().slice(11, 23);
  const note = (text: string) => void diary.push(`${stamp()} ${text}`);
  const boxOf = (name: string) => [...world.boxes.values()].find((box) => box.name === name);
  const truthOf = (name: string): Truth => {
    let truth = truths.get(name);
    if (!truth) truths.set(name, (truth = { downMs: 0, deaths: 0, outages: [] }));
    return truth;
  };
  const isSilenced = (name: string) => (silences.get(name) ?? 0) > world.wall();

  function fail(message: string, text: string): void {
    wrong.push(`${stamp()} ${message}\n    ${text.replaceAll('\n', '\n    ')}`);
  }

  function judge(message: Message): void {
    const whole = message.html.replace(/<\/?(?:b|i|pre)>/g, '');
    if (!/^Server: vps1$/m.test(whole)) fail('does not name the server', whole);
    const text = whole.replace('\nServer: vps1', '');
    note(`>>> ${text.replaceAll('\n', ' | ')}`);
    for (const rule of rulesOf(message, text))
      if (isSilenced(rule)) fail(`is about ${rule}, which is silenced`, text);
    for (const [name, until] of silences) {
      if (until <= world.wall() || SILENCED_RULES.includes(name)) continue;
      const pattern = name.replace('*', '[\\w-]*');
      if (name === 'all' || new RegExp(`(?<![\\w-])${pattern}(?![\\w-])`).test(text))
        fail(`names ${name}, which is silenced`, text);
    }
    if (muted !== undefined && new RegExp(`(?<![\\w-])${muted}(?![\\w-])`).test(text))
      if (['container-stopped', 'docker-gone'].includes(message.kind))
        fail(`names ${muted}, whose stops are muted`, text);
    // Whoever reads it knows that nothing can be seen until Docker is back.
    if (text.includes('Docker Is Gone')) belief.clear();
    let claims: Claimed[] = [];
    try {
      claims = claimsOf(text);
    } catch (error) {
      fail(String(error), text);
    }
    for (const { name, claim, line } of claims) {
      const state =
        claim === 'missing'
          ? missingOf(name)
          : name !== 'docker'
            ? stateOf(name)
            : dockerAnswers
              ? 'answers'
              : 'away';
      if (claim !== 'missing') belief.set(name, claim);
      if (!fits(claim, state)) fail(`says that ${name} is ${claim}, it is ${state}`, line);
    }
    checkNext(text, claims);
    checkHealth(text);
    checkNumbers(text);
  }

  /** What Docker does about one that is down, where a message is about one. */
  function checkNext(text: string, claims: readonly Claimed[]): void {
    const [one, ...others] = claims;
    const box = one && others.length === 0 ? boxOf(one.name) : undefined;
    if (one?.claim !== 'down' || !box) return;
    const { status } = box.state;
    if (text.includes('keeps trying') && status !== 'restarting')
      fail(`says that Docker tries, it is ${status}`, text);
    const policy = /will not restart it .*\(restart policy: ([\w-]+)/.exec(text)?.[1];
    // One that was made in its place a moment ago is another one.
    if (policy !== undefined && status !== 'created' && policy !== box.hostConfig.restartPolicy)
      fail(`its policy is ${box.hostConfig.restartPolicy}`, text);
  }

  /** Status and health of one that restarts often. */
  function checkHealth(text: string): void {
    if (!text.includes('Malfunction')) return;
    const box = boxOf(/^Service: (.*)$/m.exec(text)?.[1] ?? '');
    if (!box) return;
    const status = /^Status: \S+ (\w+)$/m.exec(text)?.[1]?.toLowerCase();
    const is = { created: 'stopped', exited: 'stopped' }[box.state.status as string] ?? box.state.status;
    if (status !== undefined && status !== is) fail(`its status is ${is}`, text);
    const health = /^Health: (?:\S+ )?(\w+)$/m.exec(text)?.[1]?.toLowerCase() ?? 'unknown';
    if (health !== 'unknown' && health !== box.state.health?.status)
      fail(`its health is ${box.state.health?.status}`, text);
  }

  /** Of a name in MONITORED_SERVICES: whether a container bears it, or is of its service, and was ever started. */
  function missingOf(name: string): string {
    const bears = [...world.boxes.values()].filter(
      (box) => box.name === name || box.labels['com.docker.compose.service'] === name,
    );
    return bears.some(({ state }) => state.status !== 'created' || state.error !== '') ? 'there' : 'missing';
  }

  function stateOf(name: string): string {
    const box = boxOf(name);
    if (!box) return 'gone';
    if (box.state.status !== 'running') return box.state.status;
    const health = box.state.health?.status;
    return health === 'unhealthy' || health === 'starting' ? `running ${health}` : 'running';
  }

  function checkNumbers(text: string): void {
    const list = /^\S+ (\d+) Services (.*)$/m.exec(text);
    const lines = text.split('\n');
    if (list) {
      const named = lines.slice(2, lines.indexOf('', 2)).length;
      if (named !== Number(list[1])) fail(`${list[1]} in the heading, ${named} in the list`, text);
    }
    const name = /^Service: (.*)$/m.exec(text)?.[1];
    if (name === undefined) return;
    const box = boxOf(name);
    const exit = /^Cause: .*exit code (\d+)/m.exec(text)?.[1];
    if (exit !== undefined && box && !text.includes('Restarting') && box.state.pid === 0)
      if (!exits.some((one) => one === `${name} ${exit}`)) fail(`exit code ${exit}, it never was`, text);
    if (/(Previous|Current) Status: 🔴 Paused/.test(text) || clockWasSet) return;
    const truth = truthOf(name);
    if (truth.unseen) return;
    if (
      text.includes('Stable for: 10 min') &&
      !text.includes('Previous Status: 🏥') &&
      world.now - (truth.diedAt ?? 0) < 595_000
    )
      fail(`stable for 10 min, it went down ${formatDuration(world.now - truth.diedAt!)} ago`, text);
    // Of one that flapped it is the last outage that counts, and somebody may have restarted it since.
    const downFor = text.includes('Stable for: ') ? undefined : /^Down for: (.*)$/m.exec(text)?.[1];
    if (downFor !== undefined && !truth.outages.includes(downFor))
      fail(`down for ${downFor}, it was ${truth.outages.slice(-3).join(', ')}`, text);
    // What came and went while nobody watched counts as one outage.
    if (wasAway) return;
    const before = /down (?:(\d+) times|once), (.*?) in all/.exec(text);
    if (!before) return;
    const times = Number(before[1] ?? 1);
    // Of one that took the name of another while both were down, the name was down since the earlier of the two.
    const since = Math.min(truth.downAt ?? world.now, truth.otherDownAt ?? world.now);
    const all = truth.downMs + world.now - since;
    if (times > truth.deaths) fail(`down ${times} times, it was ${truth.deaths} times`, text);
    if (parseDuration(before[2]!) > all + 1000)
      fail(`down ${before[2]} in all, it was ${formatDuration(all)}`, text);
  }

  // What Docker and people do.

  function goesDown(name: string): void {
    const truth = truthOf(name);
    // It came up and went down again while nobody watched: that counts as never up.
    if (!watching && truth.upUnseen) truth.unseen = true;
    truth.downAt ??= world.now;
    truth.deaths += 1;
    truth.diedAt = world.now;
  }
  /** What was recorded of either name counts for both, for both have borne it. */
  function mergeTruths(name: string, to: string): void {
    const [a, b] = [truthOf(name), truthOf(to)];
    const unseen = a.unseen || b.unseen ? { unseen: true as const } : {};
    const merged = { downMs: a.downMs + b.downMs, deaths: a.deaths + b.deaths, ...unseen };
    const { downAt: _, ...rest } = a;
    const both = a.downAt !== undefined && b.downAt !== undefined ? { otherDownAt: b.downAt } : {};
    truths.set(to, { ...a, ...merged, ...both, outages: [...b.outages, ...a.outages] });
    truths.set(name, { ...rest, ...merged, outages: [...a.outages, ...b.outages] });
    const own = exits.filter((one) => one.startsWith(`${name} `));
    exits.push(...own.map((one) => one.replace(name, to)));
  }
  function comesUp(name: string): void {
    const truth = truthOf(name);
    if (truth.downAt !== undefined) {
      const lasted = world.now - truth.downAt;
      truth.downMs += lasted;
      truth.outages.push(formatDuration(lasted));
      if (truth.otherDownAt !== undefined) truth.outages.push(formatDuration(world.now - truth.otherDownAt));
    }
    delete truth.downAt;
    delete truth.otherDownAt;
    truth.upAt = world.now;
    if (watching) delete truth.upUnseen;
    else truth.upUnseen = true;
  }
  function start(name: string, by: 'hand' | 'policy' = 'hand'): void {
    note(`start ${name} (${by})`);
    comesUp(name);
    world.start(name, by);
  }
  function crash(name: string): void {
    const box = boxOf(name)!;
    const again = box.hostConfig.restartPolicy === 'always';
    const exitCode = [0, 1, 137, 143][pick(4)]!;
    exits.push(`${name} ${exitCode}`);
    note(`crash ${name} ${exitCode}`);
    goesDown(name);
    if (again) {
      const wait = [100, 400, 1600, 3000, 12_000][pick(5)]!;
      policies.push({ at: world.now + wait, id: box.id });
    }
    if (chance(10)) world.oom(name);
    world.die(name, exitCode, again);
  }
  function stop(name: string): void {
    note(`stop ${name}`);
    forgetPolicy(name);
    if (boxOf(name)!.state.pid === 0) return;
    goesDown(name);
    const exitCode = [0, 137, 143][pick(3)]!;
    exits.push(`${name} ${exitCode}`);
    world.stop(name, exitCode);
  }
  function forgetPolicy(name: string): void {
    const id = boxOf(name)?.id;
    for (const [index, { id: other }] of policies.entries()) if (other === id) policies.splice(index, 1);
  }
  function remove(name: string): void {
    note(`rm -f ${name}`);
    forgetPolicy(name);
    if (boxOf(name)!.state.pid > 0) goesDown(name);
    exits.push(`${name} 137`);
    world.remove(name);
  }
  function run(name: string): void {
    const health = chance(40) ? ('healthy' as const) : ('none' as const);
    const policy = chance(50) ? 'always' : 'no';
    const autoRemove = policy === 'no' && chance(30);
    note(`run ${name} ${policy} ${health}${autoRemove ? ' --rm' : ''}`);
    comesUp(name);
    world.run(name, { policy, health, autoRemove, service: name });
  }

  /** Lets time pass: policies restart, checks are made, what is due happens. */
  function pass(ms: number): void {
    const end = world.now + ms;
    while (world.now < end) {
      policies.sort((a, b) => a.at - b.at);
      const next = Math.min(end, policies[0]?.at ?? Infinity, world.now + 30_000);
      if (watching) world.advance(Math.max(0, next - world.now));
      else world.skip(Math.max(0, next - world.now));
      while (policies[0] && policies[0].at <= world.now) {
        const { id } = policies.shift()!;
        const box = world.boxes.get(id);
        if (box?.state.status === 'restarting') start(box.name, 'policy');
      }
      if (watching) world.check();
      // As the daemon does it every 5 minutes.
      if (watching && dockerAnswers && world.now >= listAt) {
        listAt = world.now + 5 * MINUTE;
        world.list();
      }
    }
    remember();
  }

  /** As the monitor writes it down: what is told, and nothing else. */
  function remember(): void {
    if (!watching) return;
    const { state } = world;
    const keys = new Set([...state.byKey.keys(), ...saved.keys()]);
    for (const key of keys) {
      if (isUnreported(state, key)) continue;
      const row = rowOf(state, key);
      if (row) saved.set(key, structuredClone(row));
      else saved.delete(key);
    }
    if (isAllReported(state)) readUntil = world.log.length;
  }

  function restartMonitor(away: () => void): void {
    const isKilled = chance(30);
    if (!isKilled) remember();
    note(`the monitor is ${isKilled ? 'killed' : 'stopped'}`);
    watching = false;
    wasAway = true;
    world.deaf(true);
    away();
    world.deaf(false);
    watching = true;
    world.reopen();
    const notes = world.look([...saved.values()], world.log.slice(readUntil));
    // As the first look of the daemon hands it on.
    const answers = { kind: 'docker-answers', name: 'docker', at: world.wall() } as const;
    world.process(findingsOf(answers, describeFact));
    note(`the monitor is started: ${notes.map(({ line }) => line).join(' | ')}`);
    // When it went down nobody saw: the container that did is gone.
    for (const { name, state } of world.boxes.values())
      if (state.status === 'created') truthOf(name).unseen = true;
    for (const { name, kind, line } of notes) {
      const rule = START_LINES[kind].rule ?? '';
      if (name === muted && (kind === 'stopped' || kind === 'up'))
        fail(`the start message names ${name}, whose stops are muted`, line);
      if ([name, `${name}*`, rule, 'all'].some(isSilenced))
        fail(`the start message names ${name}, which is silenced`, line);
      const claim = NOTES[kind];
      if (claim === undefined) continue;
      belief.set(name, claim);
      const state = stateOf(name);
      if (!fits(claim, state)) fail(`the start message says that ${name} is ${claim}, it is ${state}`, line);
    }
  }

  /** Its containers end with it, unless it leaves them alone (live-restore); those with a policy come back with it, as a rule. */
  function dockerAway(): void {
    const liveRestore = chance(30);
    const ran = [...world.boxes.values()].filter(
      ({ state }) => state.pid > 0 || state.status === 'restarting',
    );
    note(`Docker goes away${liveRestore ? ' and leaves the containers alone' : ''}`);
    policies.length = 0;
    for (const box of ran) {
      truthOf(box.name).unseen = true;
      if (box.state.status === 'restarting') box.state.status = 'exited';
      else if (!liveRestore) {
        goesDown(box.name);
        exits.push(`${box.name} 143`);
        world.signal(box.name, 15);
        world.die(box.name, 143);
      }
    }
    dockerAnswers = false;
    world.answering(false);
    if (watching) world.down();
    world.deaf(true);
    pass([300, 2000, 5000, 30_000, 5 * MINUTE][pick(5)]!);
    for (const box of ran) {
      if (liveRestore && box.state.status === 'running' && chance(20)) {
        note(`meanwhile ${box.name} ends`);
        goesDown(box.name);
        exits.push(`${box.name} 1`);
        world.die(box.name, 1);
      }
      if (box.state.status !== 'exited' || box.hostConfig.restartPolicy !== 'always' || chance(15)) continue;
      start(box.name);
    }
    // Before anybody listens again.
    for (const { name } of ran) {
      const box = boxOf(name);
      if (!box || !chance(10)) continue;
      note(`meanwhile ${name} is removed`);
      if (box.state.pid > 0) goesDown(name);
      world.remove(name);
      if (chance(50)) run(name);
      truthOf(name).unseen = true;
    }
    note('Docker is back');
    world.answering(true);
    dockerAnswers = true;
    if (!watching) return;
    world.deaf(false);
    world.up();
  }

  /** As Compose does it: the new one is made beside the old one, which has another name for a moment. */
  function recreate(name: string): void {
    const old = boxOf(name)!;
    stop(name);
    pass([0, 200, 1500][pick(3)]!);
    if (boxOf(name) !== old) return;
    note(`recreate ${name}`);
    world.rename(name, `0123456789ab_${name}`);
    world.create(name, {
      policy: old.hostConfig.restartPolicy,
      ...(chance(40) ? { health: 'healthy' as const } : {}),
    });
    pass([0, 300, 2500][pick(3)]!);
    if (chance(85)) start(name);
    else {
      world.failStart(name, 'port is already allocated', 128);
      exits.push(`${name} 128`);
    }
    if (boxOf(old.name) === old) world.destroy(old.name);
    if (boxOf(name)?.checked && boxOf(name)?.state.status === 'running' && chance(70)) {
      pass([500, 20_000][pick(2)]!);
      if (boxOf(name)?.state.status === 'running') world.health(name, chance(80) ? 'healthy' : 'unhealthy');
    }
  }

  /** `docker compose down` and `up`: all go, then all are made, then they start one after the other. */
  function composeAnew(): void {
    note('compose down');
    const names = NAMES.filter((name) => ['running', 'exited'].includes(boxOf(name)?.state.status ?? ''));
    for (const name of names) {
      if (boxOf(name)?.state.status === 'running') stop(name);
      if (boxOf(name)) world.destroy(name);
      pass(pick(200));
    }
    pass([0, 500, 5000, 30_000][pick(4)]!);
    note('compose up');
    const made = names.filter((name) => !boxOf(name));
    for (const name of made)
      world.create(name, { policy: 'always', service: name, health: chance(40) ? 'healthy' : 'none' });
    for (const name of made) {
      pass(pick(700));
      if (boxOf(name)?.state.status === 'created') start(name);
    }
  }

  /** Another one of its service starts beside it, and then it is removed; or the other way round. */
  function rollOut(name: string): void {
    const [from, to] = boxOf(`${name}-next`) ? [`${name}-next`, name] : [name, `${name}-next`];
    if (boxOf(from)?.state.status !== 'running' || boxOf(to)) return;
    const stopsFirst = chance(30);
    note(`roll out ${to} in place of ${from}`);
    const start = () => {
      comesUp(to);
      world.run(to, { policy: 'always', service: name, health: chance(40) ? 'healthy' : 'none' });
      pass([200, 3000, 20_000][pick(3)]!);
    };
    if (!stopsFirst) start();
    if (boxOf(from)?.state.status === 'running') stop(from);
    if (boxOf(from)) world.destroy(from);
    pass([0, 500, 5000][pick(3)]!);
    if (stopsFirst && !boxOf(to)) start();
  }

  function silence(subject: string, ms: number): void {
    note(`silence ${subject} ${ms / 1000} s`);
    silences.set(subject, world.wall() + ms);
    lengths.set(subject, ms);
    world.silence(subject, ms);
    everSilenced = true;
  }

  function act(): void {
    const name = NAMES[pick(NAMES.length)]!;
    const box = boxOf(name);
    if (!box) {
      run(name);
      return;
    }
    const up = box.state.pid > 0;
    const paused = box.state.status === 'paused';
    if (box.state.status === 'created') {
      if (chance(50)) start(name);
      else remove(name);
      return;
    }
    if (box.state.status === 'restarting' && chance(20)) {
      note(`stop ${name}, which Docker tries to start`);
      forgetPolicy(name);
      box.state.status = 'exited';
      world.said(name, 'stop');
      return;
    }
    const what = pick(126);
    if (what >= 122) {
      composeAnew();
      return;
    }
    if (what >= 118) {
      if (box.state.status === 'restarting' || box.hostConfig.autoRemove) return;
      const policy = box.hostConfig.restartPolicy === 'always' ? 'no' : 'always';
      note(`update ${name} --restart ${policy}`);
      world.update(name, policy);
      return;
    }
    if (what >= 112) {
      rollOut(name);
      return;
    }
    if (what < 22) {
      if (up && !paused) crash(name);
      else if (box.state.status === 'exited') start(name);
    } else if (what < 30) {
      if (up && !paused) stop(name);
      else if (box.state.status === 'exited') start(name);
    } else if (what < 38) {
      if (!up || paused) return;
      stop(name);
      pass([100, 500, 5000, 30_000][pick(4)]!);
      if (boxOf(name)?.state.status === 'exited') start(name);
    } else if (what < 46) {
      remove(name);
      pass([50, 900, 4000, 30_000][pick(4)]!);
      if (!boxOf(name)) run(name);
    } else if (what < 54) {
      if (paused) {
        note(`unpause ${name}`);
        const { pause } = truthOf(name);
        comesUp(name);
        if (pause && world.now - pause.at < 20_000) truthOf(name).diedAt = pause.diedAt;
        world.unpause(name);
      } else if (up) {
        note(`pause ${name}`);
        truthOf(name).pause = { at: world.now, diedAt: truthOf(name).diedAt };
        goesDown(name);
        world.pause(name);
      }
    } else if (what < 66) {
      if (!up || paused || !box.checked) return;
      const next = box.state.health?.status === 'unhealthy' ? 'healthy' : 'unhealthy';
      note(`health ${name} ${next}`);
      world.health(name, next);
    } else if (what < 70) {
      const to = NAMES.find((other) => !boxOf(other)) ?? `${name}-old`;
      if (boxOf(to) || isFlapNamed(name)) return;
      note(`rename ${name} ${to}`);
      // The name that was down is up again, with another container, unless that is paused.
      if (up && !paused) comesUp(to);
      mergeTruths(name, to);
      if (halfKnown.has(name)) halfKnown.add(to);
      const known = belief.get(name);
      // One that is down, which was not told yet, is renamed silently: what was said of the name stays.
      if (up || known !== 'up') belief.delete(to);
      if (known && !belief.has(to)) belief.set(to, known);
      world.rename(name, to);
    } else if (what < 80) flap(name);
    else if (what < 88) {
      note('many at once');
      const down = NAMES.filter((one) => boxOf(one)?.state.status === 'running');
      if (down[0] !== undefined && chance(30)) silence(down[pick(down.length)]!, 5 * MINUTE);
      for (const one of down) crash(one);
      pass([0, 200, 2500, 20_000, 120_000][pick(5)]!);
      for (const one of down) {
        if (boxOf(one)?.state.status === 'exited') start(one);
        if (chance(30)) pass(pick(300));
      }
    } else if (what < 94) {
      const rule = SILENCED_RULES[pick(SILENCED_RULES.length)]!;
      const subject = chance(15) ? 'all' : chance(30) ? rule : chance(20) ? `${name}*` : name;
      silence(subject, [20_000, 3 * MINUTE, 20 * MINUTE][pick(3)]!);
    } else if (what < 96) {
      const subject = [...silences.keys()][pick(Math.max(1, silences.size))];
      if (subject === undefined) return;
      note(`end of silence ${subject}`);
      silences.delete(subject);
      world.unsilence(subject);
    } else if (what < 98) {
      if (!watching) return;
      restartMonitor(() => {
        if (chance(50)) pass(pick(3 * MINUTE));
        if (chance(50) && boxOf(name)) {
          if (boxOf(name)!.state.status === 'running') crash(name);
          else if (boxOf(name)!.state.status === 'exited') start(name);
        }
        if (chance(15)) dockerAway();
        if (chance(30)) for (let i = pick(5); i >= 0; i--) act();
        pass(pick(3 * MINUTE));
      });
    } else if (what < 102) dockerAway();
    else if (what < 109) {
      if (up && !paused) recreate(name);
    } else {
      const ms = (pick(2) === 0 ? 1 : -1) * [7000, 10 * MINUTE, 3 * 3_600_000][pick(3)]!;
      note(`the clock is set by ${ms / 1000} s`);
      clockWasSet = true;
      world.setClock(ms);
      for (const [subject, until] of silences) {
        const length = lengths.get(subject)!;
        // The monitor moves them; of a few seconds it cannot tell whether a silence was begun before or after.
        if (watching) silences.set(subject, until + (Math.abs(ms) < MINUTE ? Math.min(ms, 0) : ms));
        // One that was begun in what is now the future holds for as long as was asked, from now on.
        else if (until - length - world.wall() > MINUTE) silences.set(subject, world.wall() + length);
      }
      // The checks notice it; nothing happens in the same millisecond.
      if (watching) world.check();
    }
  }

  function isFlapNamed(name: string): boolean {
    return name.endsWith('-old');
  }

  function flap(name: string): void {
    const times = 2 + pick(12);
    const downMs = [300, 2000, 5000, 70_000][pick(4)]!;
    const upMs = [500, 5000, 60_000, 285_000][pick(4)]!;
    for (let i = 0; i < times; i++) {
      const box = boxOf(name);
      if (box?.state.status !== 'running') return;
      const sick = box.checked && box.hostConfig.restartPolicy === 'no' && pick(3) === 0;
      if (sick) {
        note(`health ${name} unhealthy`);
        world.health(name, 'unhealthy');
      } else crash(name);
      pass(downMs);
      const now = boxOf(name);
      if (now?.state.status === 'exited') start(name);
      else if (sick && now?.state.status === 'running') {
        note(`health ${name} healthy`);
        world.health(name, 'healthy');
      }
      pass(upMs);
    }
  }

  for (const name of NAMES) if (chance(80)) run(name);
  pass(5000);
  const steps = 10 + pick(30);
  for (let i = 0; i < steps && wrong.length === 0; i++) {
    act();
    pass([0, 100, 700, 3000, 20_000, 90_000, 15 * MINUTE][pick(7)]!);
  }
  for (const subject of silences.keys()) world.unsilence(subject);
  silences.clear();
  note('calm');
  pass(CALM_MS);
  for (const { rule, subject } of world.openIncidents()) {
    if (rule === 'service-missing') {
      if (missingOf(subject) !== 'missing') wrong.push(`in the end ${rule} ${subject} is open, it is there`);
      continue;
    }
    const state = stateOf(subject);
    const claim =
      rule === 'container-stopped' ? 'down' : rule === 'container-unhealthy' ? 'unhealthy' : undefined;
    // While it is paused nobody asks for its health.
    if (claim === 'unhealthy' && state === 'paused') continue;
    if (claim && !fits(claim, state)) wrong.push(`in the end ${rule} ${subject} is open, it is ${state}`);
    if (!claim) wrong.push(`in the end ${rule} ${subject} is open`);
  }
  for (const known of world.state.known.values()) {
    // Renamed to what MONITORED_SERVICES does not name: nothing is told of it any more.
    if (!isWatched(world.state, known)) continue;
    const name = keyOf(known);
    const state = stateOf(name);
    const box = boxOf(name);
    const believed = belief.get(name);
    const endedByItself = state === 'exited' && box?.state.exitCode === 0;
    if (everSilenced || halfKnown.has(name) || endedByItself || state === 'created') continue;
    if (!state.startsWith('running') && believed !== undefined && !fits(believed, state))
      wrong.push(`in the end ${name} is ${state}, and who read all messages believes that it is ${believed}`);
  }
  world.close();
  return { wrong, diary };
}

const NOTES: Record<string, string> = {
  stopped: 'down',
  up: 'up',
  restarted: 'up',
  redeployed: 'up',
  unhealthy: 'unhealthy',
  healthy: 'healthy',
  removed: 'gone',
  new: 'up',
  restarting: 'down',
};

function fits(claim: string, state: string): boolean {
  const up = state.startsWith('running');
  if (claim === 'any') return true;
  if (claim === 'up') return up;
  if (claim === 'down') return !up;
  if (claim === 'paused') return state === 'paused';
  if (claim === 'unhealthy') return state === 'running unhealthy';
  if (claim === 'starting') return state === 'running starting';
  if (claim === 'healthy') return state === 'running' || state === 'running starting';
  return state === claim;
}

type Claimed = { name: string; claim: string; line: string };

/** What a message states about the present. A message that this does not understand is a mistake of the test. */
function claimsOf(text: string): Claimed[] {
  const lines = text.split('\n');
  const title = lines[0]!;
  const list = /^\S+ \d+ Services (.*)$/.exec(title)?.[1];
  if (list !== undefined) {
    const names = lines.slice(2, lines.indexOf('', 2));
    return names
      .map((line) => {
        const name = /^[\w-]+/.exec(line)![0];
        const restored = line.includes('unhealthy for') ? 'healthy' : 'up';
        const again = line.includes('down again') ? 'down' : 'up';
        const isDeploy = list === 'redeployed' || list === 'restarted';
        const claim =
          (isDeploy ? outcomeOf(line) : undefined) ??
          { Restored: restored, Restarting: again }[list] ??
          LISTS[list];
        if (claim === undefined) throw new Error(`not understood: ${text}`);
        return { name, claim: list.startsWith('renamed') ? 'named' : claim, line };
      })
      .filter(({ claim }) => claim !== 'any' && claim !== 'named');
  }
  const missing = /^Service: (.*)$/m.exec(title.includes('Service Missing') ? text : '')?.[1];
  if (missing !== undefined) return [{ name: missing, claim: 'missing', line: title }];
  const answers = { name: 'docker', claim: 'answers', line: title };
  if (title.includes('Docker Is Gone')) return [{ ...answers, claim: 'away' }];
  if (/^(?:Stable again, r|R)esolved: Docker answers$/.test(title)) return [answers];
  if (title.includes('Docker Is Back')) {
    const names = lines[lines.findIndex((line) => line.includes('Did not come back')) + 1] ?? '';
    if (!text.includes('Did not come back') || names.startsWith('Time: ')) return [answers];
    const down = names.split(', ').map((one) => ({ name: one.split(' ')[0]!, claim: 'down', line: text }));
    return [answers, ...down];
  }
  const name = /^Service: (.*)$/m.exec(text)?.[1];
  if (name !== undefined) {
    const status = /^(?:Current )?Status: \S+ (\w+)$/m.exec(text)?.[1];
    let claim: string | undefined = { Running: 'up', Stopped: 'down', Paused: 'paused', Restarting: 'any' }[
      status ?? ''
    ];
    if (title.includes('Restarting')) claim = text.includes('Now: 🟢') ? 'up' : 'down';
    if (title.includes('Unhealthy')) claim = 'unhealthy';
    if (/^Unhealthy for: /m.test(text)) claim = 'healthy';
    if (title.includes('Malfunction') && status === 'Restarting') claim = 'down';
    const stays = /now it stays (\w+)/.exec(text)?.[1];
    if (claim === undefined || (stays && stays !== (claim === 'unhealthy' ? claim : 'down')))
      throw new Error(`not understood: ${text}`);
    return claim === 'any' ? [] : [{ name, claim, line: text }];
  }
  const fine = /^Flapping, fine at the moment: (.*)$/.exec(title)?.[1];
  if (fine !== undefined) return [sentence(fine)];
  const right = /^Right now, for .*?: (.*)$/m.exec(text)?.[1];
  if (right !== undefined) return [sentence(right)];
  const still = /^Still \w+ after [^:]*: (.*)$/.exec(title)?.[1];
  if (still !== undefined) {
    const each = lines.filter((line) => line.startsWith('- ')).map((line) => line.replace(/^- \S+: /, ''));
    return (each.length > 0 ? each : [still]).map(sentence);
  }
  if (title.includes(' is now called ')) return [];
  if (title.includes('was removed'))
    return [{ name: /^\S+ ([\w-]+) /.exec(title)![1]!, claim: 'gone', line: title }];
  const line = /^\S+ ([\w-]+) (?:redeployed|restarted)/.exec(title);
  if (line) return [{ name: line[1]!, claim: outcomeOf(title) ?? 'up', line: title }];
  const generic = /^(?:WARNING|CRITICAL|INFO)[^:]*: (.*)$/.exec(title)?.[1];
  if (generic !== undefined) return [sentence(generic)];
  throw new Error(`not understood: ${text}`);
}

/** How a deploy or a restart turned out, where its line says more than that it runs. */
function outcomeOf(line: string): string | undefined {
  if (line.includes(', healthy')) return 'healthy';
  if (line.includes('but unhealthy')) return 'unhealthy';
  return line.includes('not healthy yet') ? 'starting' : undefined;
}

/** The rules of what a message says: each line of a list of ends has its own. */
function rulesOf({ kind }: Message, text: string): string[] {
  const [title = '', ...lines] = text.split('\n');
  if (!/^\S+ \d+ Services Restored/.test(title)) return [kind];
  return lines.flatMap((line) =>
    line.includes('unhealthy for')
      ? ['container-unhealthy']
      : line.includes('down for')
        ? ['container-stopped']
        : [],
  );
}

const LISTS: Record<string, string> = {
  Started: 'up',
  Stopped: 'down',
  'Stopped (on request)': 'down',
  restarted: 'up',
  redeployed: 'up',
  'with Malfunction': 'any',
  Unhealthy: 'unhealthy',
  renamed: 'named',
  'removed: nothing is left to watch': 'gone',
};

function sentence(text: string): Claimed {
  const stopped = /^([\w-]+) (?:stopped:|is paused|did not)/.exec(text);
  if (stopped) return { name: stopped[1]!, claim: 'down', line: text };
  const up = /^([\w-]+) (?:runs again|started|has not restarted)/.exec(text);
  if (up) return { name: up[1]!, claim: 'up', line: text };
  const missing = /^([\w-]+) is in MONITORED_SERVICES, but /.exec(text);
  if (missing) return { name: missing[1]!, claim: 'missing', line: text };
  const exists = /^([\w-]+) exists again/.exec(text);
  if (exists) return { name: exists[1]!, claim: 'any', line: text };
  const sick = /^The health check of ([\w-]+) fails/.exec(text);
  if (sick) return { name: sick[1]!, claim: 'unhealthy', line: text };
  const well = /^([\w-]+) is healthy again/.exec(text);
  if (well) return { name: well[1]!, claim: 'healthy', line: text };
  const docker = /^Docker (is gone|is back|answers)/.exec(text)?.[1];
  if (docker) return { name: 'docker', claim: docker === 'is gone' ? 'away' : 'answers', line: text };
  const often = /^([\w-]+) (?:restarted \d+ times|has restarted)/.exec(text);
  if (often) return { name: often[1]!, claim: 'any', line: text };
  throw new Error(`not understood: ${text}`);
}

function parseDuration(text: string): number {
  const unit: Record<string, number> = { s: 1000, min: MINUTE, h: 60 * MINUTE, d: 24 * 60 * MINUTE };
  let ms = 0;
  for (const [, number, name] of text.matchAll(/([\d.]+) (s|min|h|d)\b/g))
    ms += Number(number) * unit[name!]!;
  return ms;
}
