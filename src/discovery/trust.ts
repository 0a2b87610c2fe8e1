import { matchesPattern } from '../config/schema.ts';
import { plain } from '../model/text.ts';
import { type Candidate, type Located, kindByImage, repositoryOf } from './kind.ts';

// Who may be sent a secret. Labels, environment, exposed ports and Compose names are what a container says about itself: an image can
// carry all of them. Believed is only what the person who started it decided and the engine enforces: its name, its image, its
// networks with their aliases, and its published ports.

/**
 * The names that the engine itself resolves for this container, lower case: its own, its network aliases and, in a Swarm, its service.
 * A task of a Swarm is called `<service>.<slot>.<task id>` by the engine; in a stack the service is `<stack>_<name>`.
 */
export function engineNames({ name, networks }: Pick<Located, 'name' | 'networks'>): string[] {
  const swarm = /^(.+)\.(?:\d+|[a-z0-9]{25})\.[a-z0-9]{4,25}$/.exec(name)?.[1];
  const inStack = swarm === undefined ? undefined : /^[^_]+_(.+)$/.exec(swarm)?.[1];
  const aliases = Object.values(networks).flatMap((network) => network.aliases ?? []);
  return [name, swarm, inStack, ...aliases].flatMap((one) => (one ? [one.toLowerCase()] : []));
}

/** The only one of them; undefined where there is none or a choice: a secret is not sent on a guess. */
export function sole<T>(of: T[]): T | undefined {
  return of.length === 1 ? of[0] : undefined;
}

/** Those whose image is of the kind; the others, which merely look like it, only where there is none. */
export function credible(candidates: Candidate[]): Candidate[] {
  const byImage = candidates.filter((candidate) => candidate.byImage);
  return byImage.length > 0 ? byImage : candidates;
}

/**
 * What a person set as the secret of a kind, where it may go to this container; else `note` says why it does not, as the end of a
 * sentence. `setting`: where it stands; `naming`: the setting that would name the container.
 */
export function grant(
  secret: string | undefined,
  chosen: Candidate,
  candidates: Candidate[],
  { setting, naming }: { setting: string; naming: string },
): { secret: string | undefined; note: string } {
  const why = secret === undefined ? undefined : whyWithheld(chosen, candidates);
  if (why === undefined) return { secret, note: '' };
  return { secret: undefined, note: `; ${setting} is not sent to it: ${why}; set ${naming}` };
}

/**
 * Why a secret of monitor.conf is not sent to this container that no setting names; undefined where it is. It must be the only one
 * whose image is of that kind. One of another image that does not run counts, too: a rival must not inherit the
 * secret while the owner's is down.
 */
export function whyWithheld(chosen: Candidate, candidates: Candidate[]): string | undefined {
  if (!chosen.byImage) {
    return `the image of container ${plain(chosen.inspect.name, 60)} is not known as one of this kind`;
  }
  const own = repositoryOf(chosen.inspect.image);
  const rivals = candidates.filter(
    (one) => one.byImage && (one.running || repositoryOf(one.inspect.image) !== own),
  );
  return rivals.length > 1 ? `${rivals.length} containers have an image of this kind` : undefined;
}

/**
 * What the owner obviously means by a name in ESSENTIAL_CONTAINERS: a name that the engine knows, a part of one (`n8n` is
 * `shop-n8n-worker-1`, too), a pattern (`shop-*`), the last part of an image's name or all of it, with or without its tag, or the kind
 * that an image is of. A label names nothing.
 */
export function namesByEngine(setting: string, names: string[], image: string): boolean {
  const wanted = setting.trim().toLowerCase().replace(/^\//, '');
  if (wanted === '') return false;
  if (kindByImage(image) === wanted || repositoryOf(image).split('/').at(-1) === repositoryOf(wanted))
    return true;
  if (/[/:@]/.test(wanted)) return repositoryOf(image) === repositoryOf(wanted);
  if (wanted.includes('*')) return names.some((name) => matchesPattern(wanted, name));
  const separated = (text: string) => `-${text.replaceAll(/[-_.]+/g, '-')}-`;
  return names.some((name) => name === wanted || separated(name).includes(separated(wanted)));
}
